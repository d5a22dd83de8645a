import { closeSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'

/** An append-only file of JSON lines. A line is in the kernel's hands when `write` returns, so that kill -9 keeps it. */
export class Ledger {
  readonly #file: number

  constructor(path: string) {
    this.#file = openSync(path, 'a')
  }

  write(line: object): void {
    writeSync(this.#file, `${JSON.stringify(line)}\n`)
  }

  close(): void {
    closeSync(this.#file)
  }
}

/** Every line of a ledger. A process killed while writing may leave half a last line: it is nobody's word. */
function readLedger<Line>(path: string): Line[] {
  const text = readFileSync(path, 'utf8')
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  return whole
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line)
}

/** The ledgers of a folder whose names end so, each as a list of its own. */
export function readLedgers<Line>(folder: string, ending: string): Line[][] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(ending))
    .sort()
    .map((name) => readLedger<Line>(join(folder, name)))
}
