/** Node's own, without the checks of `write()` and `toString()`; its types leave them out. */
export interface TextBuffer extends Buffer {
  utf8Write(text: string, offset: number, length: number): number
  utf8Slice(start: number, end: number): string
}
