import { once } from 'node:events'

/** What a command writes to: results to standard output, everything else to standard error. */
export interface Terminal {
  /** Somebody watches standard error: progress may be drawn on it. */
  readonly interactive: boolean
  /** A line of the result. A promise when the reader is slow: wait for it before the next. */
  line(text: string): Promise<void> | undefined
  /** A line for people. */
  note(text: string): void
  /** Redraws the one progress line; nothing when nobody watches. */
  progress(text: string): void
  /** Resolves when everything was handed to the system. */
  flush(): Promise<void>
}

/** `onGone` is called once when the reader of standard output has gone (EPIPE), as in `skein sub … | head`. */
export function processTerminal(onGone: () => void): Terminal {
  const { stdout, stderr } = process
  let drawn = false
  let gone = false
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    if (!gone) onGone()
    gone = true
  })
  // Nobody to tell when standard error is gone: the result still goes to standard output.
  stderr.on('error', () => {})
  const clear = () => {
    if (drawn) stderr.write('\r\x1b[K')
    drawn = false
  }
  return {
    interactive: stderr.isTTY === true,
    line(text) {
      if (gone) return undefined
      clear()
      return stdout.write(`${text}\n`) ? undefined : drained(stdout)
    },
    note(text) {
      clear()
      stderr.write(`${text}\n`)
    },
    progress(text) {
      if (!stderr.isTTY) return
      clear()
      stderr.write(text)
      drawn = true
    },
    async flush() {
      clear()
      if (!gone) await new Promise<void>((resolve) => stdout.write('', () => resolve()))
    },
  }
}

async function drained(stream: NodeJS.WriteStream): Promise<void> {
  try {
    await once(stream, 'drain')
  } catch {
    // The stream failed while we waited: its error listener has dealt with it.
  }
}

/** Columns aligned to their widest cell, two spaces apart. */
export function table(rows: ReadonlyArray<readonly string[]>): string {
  const widths: number[] = []
  for (const row of rows) {
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length)
  }
  return rows
    .map((row) =>
      row
        .map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd(widths[index]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
