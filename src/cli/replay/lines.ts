import { isUtf8 } from 'node:buffer'

/** The longest line read; a longer one is a problem of that line alone. */
const LINE_BYTES_MAX = 1024 * 1024

/** A line that cannot be used as text, and why. */
export interface BrokenLine {
  readonly problem: string
}

/** Lines that follow each other, without their ends; `firstNumber` counts from 1. */
export interface LineBlock {
  readonly firstNumber: number
  readonly lines: ReadonlyArray<string | BrokenLine>
}

/** Cuts bytes into lines ended by LF or CRLF. A byte order mark at the start is dropped; the last line needs no end. */
export async function* readLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<LineBlock> {
  let rest: Buffer = Buffer.alloc(0)
  let overlong = false
  let nextNumber = 1
  for await (const chunk of chunks) {
    const bytes = rest.length === 0 ? asBuffer(chunk) : Buffer.concat([rest, chunk])
    const end = bytes.lastIndexOf(10) + 1
    const lines = end === 0 ? [] : cut(bytes.subarray(0, end - 1))
    if (overlong && lines.length > 0) {
      lines[0] = tooLong()
      overlong = false
    }
    rest = bytes.subarray(end)
    if (rest.length > LINE_BYTES_MAX) {
      overlong = true
      rest = Buffer.alloc(0)
    }
    if (lines.length === 0) continue
    if (nextNumber === 1) lines[0] = withoutMark(lines[0]!)
    yield { firstNumber: nextNumber, lines }
    nextNumber += lines.length
  }
  if (overlong) yield { firstNumber: nextNumber, lines: [tooLong()] }
  else if (rest.length > 0) {
    const lines = cut(rest)
    yield { firstNumber: nextNumber, lines: nextNumber === 1 ? lines.map(withoutMark) : lines }
  }
}

function cut(bytes: Buffer): Array<string | BrokenLine> {
  if (isUtf8(bytes)) return bytes.toString('utf8').split('\n').map(checked)
  const lines: Array<string | BrokenLine> = []
  for (let start = 0; start <= bytes.length; ) {
    const found = bytes.indexOf(10, start)
    const end = found === -1 ? bytes.length : found
    const line = bytes.subarray(start, end)
    lines.push(isUtf8(line) ? checked(line.toString('utf8')) : { problem: 'it is not UTF-8 text' })
    start = end + 1
  }
  return lines
}

function checked(line: string): string | BrokenLine {
  if (line.length > LINE_BYTES_MAX) return tooLong()
  return line.charCodeAt(line.length - 1) === 13 ? line.slice(0, -1) : line
}

function withoutMark(line: string | BrokenLine): string | BrokenLine {
  return typeof line === 'string' && line.charCodeAt(0) === 0xfeff ? line.slice(1) : line
}

function tooLong(): BrokenLine {
  return { problem: `it is longer than ${LINE_BYTES_MAX} bytes` }
}

function asBuffer(chunk: Uint8Array): Buffer {
  return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
}
