/** Node's Buffer with its fastest text methods, which its types leave out. */
export type TextBuffer = Buffer & {
  utf8Write(text: string, offset: number, length: number): number
  utf8Slice(start: number, end: number): string
}

/** The same memory, seen as a Buffer. */
export function textBuffer(bytes: Uint8Array): TextBuffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) as TextBuffer
}

const SHORT = 32

/** Writes UTF-8 and returns its length in bytes. The caller has made sure that it fits. */
export function writeText(target: TextBuffer, text: string, position: number): number {
  const length = text.length
  if (length > SHORT) return target.utf8Write(text, position, target.byteLength - position)
  for (let index = 0; index < length; index += 1) {
    const code = text.charCodeAt(index)
    if (code > 0x7f) return target.utf8Write(text, position, target.byteLength - position)
    target[position + index] = code
  }
  return length
}

const INTERNED_BYTES_MAX = 96
const INTERNED_SLOTS = 8192
const interned: string[] = new Array<string>(INTERNED_SLOTS).fill('')

/**
 * Decodes text that is likely to come again (keys, subjects, header names): ASCII seen lately gives the same string
 * without allocating. The table is direct-mapped and so bounded.
 */
export function internText(source: TextBuffer, start: number, end: number): string {
  const length = end - start
  if (length > INTERNED_BYTES_MAX) return source.utf8Slice(start, end)
  let hash = length
  let all = 0
  for (let index = start; index < end; index += 1) {
    const byte = source[index]!
    all |= byte
    hash = Math.imul(hash ^ byte, 0x01000193)
  }
  if (all > 0x7f) return source.utf8Slice(start, end)
  const slot = (hash ^ (hash >>> 15)) & (INTERNED_SLOTS - 1)
  const known = interned[slot]!
  if (known.length === length && isTextAt(source, start, known)) return known
  const text = source.utf8Slice(start, end)
  interned[slot] = text
  return text
}

/** Whether this ASCII text stands at `start`. */
function isTextAt(source: Uint8Array, start: number, text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    if (source[start + index] !== text.charCodeAt(index)) return false
  }
  return true
}
