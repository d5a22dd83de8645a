/** One chunk of a large value: which set, its place in it, how many there are, and the bytes of the whole. */
export interface ChunkMark {
  readonly set: string
  readonly index: number
  readonly count: number
  readonly bytes: number
}

export const CHUNK_HEADER = 'skeinchunk'

/** The set comes last, because it may be named by any text. */
export function formatChunkMark(mark: ChunkMark): string {
  return `${mark.index};${mark.count};${mark.bytes};${mark.set}`
}

/** Undefined for a header that is none: whatever wrote it, it is no chunk of ours. */
export function parseChunkMark(text: string): ChunkMark | undefined {
  const match = /^(\d{1,7});(\d{1,7});(\d{1,9});(.+)$/s.exec(text)
  if (match === null) return undefined
  const mark = { set: match[4]!, index: Number(match[1]), count: Number(match[2]), bytes: Number(match[3]) }
  return mark.count > 0 && mark.index < mark.count ? mark : undefined
}
