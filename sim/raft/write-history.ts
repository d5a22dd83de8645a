import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Operation } from '../../testing/index.ts'

/** A file of JSON lines, one call each, named after the seed. */
export function writeHistory(directory: string, seed: number, history: readonly Operation[]): void {
  const name = `seed-${String(seed).padStart(6, '0')}.jsonl`
  writeFileSync(join(directory, name), history.map((operation) => `${JSON.stringify(operation)}\n`).join(''))
}
