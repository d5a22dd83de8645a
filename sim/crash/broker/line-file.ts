import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'

/** Lines in a file: what `append` returned from survives the death of this process, not that of the machine. */
export class LineFile {
  readonly #file: number

  constructor(path: string) {
    this.#file = openSync(path, 'a')
  }

  append(lines: readonly string[]): void {
    if (lines.length > 0) writeSync(this.#file, `${lines.join('\n')}\n`)
  }

  close(): void {
    closeSync(this.#file)
  }
}

/** Whole lines; a last one that was cut short by a kill never took effect. */
export function readLines(path: string): string[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
  const end = text.lastIndexOf('\n')
  return end === -1 ? [] : text.slice(0, end).split('\n')
}
