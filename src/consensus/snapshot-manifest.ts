import { SkeinError } from '../core/index.ts'

export interface ChunkInfo {
  readonly bytes: number
  /** SHA-256 in hexadecimal. */
  readonly checksum: string
}

/** What a snapshot consists of. */
export interface SnapshotManifest {
  readonly index: number
  readonly timeMs: number
  readonly chunks: readonly ChunkInfo[]
}

const VERSION = 1
const CHECKSUM = /^[0-9a-f]{64}$/

/** The same manifest always gives the same bytes: a reference has their checksum. */
export function encodeManifest({ index, timeMs, chunks }: SnapshotManifest): Uint8Array {
  const plain = { version: VERSION, index, timeMs, chunks: chunks.map(({ bytes, checksum }) => [bytes, checksum]) }
  return new TextEncoder().encode(JSON.stringify(plain))
}

/** Throws `future-version` or `corrupt`. */
export function decodeManifest(encoded: Uint8Array, name: string): SnapshotManifest {
  const plain = parse(encoded)
  const version = plain?.version
  if (typeof version === 'number' && version > VERSION) {
    const message = `Cannot read the snapshot ${name}: its manifest says version ${version}, this build reads up to ${VERSION}; use a newer Skein`
    throw new SkeinError('future-version', message, { details: { version, known: VERSION } })
  }
  const { index, timeMs, chunks } = plain ?? {}
  const isWhole = isCount(index) && isCount(timeMs) && Array.isArray(chunks) && chunks.every(isChunk)
  if (!isWhole) throw new SkeinError('corrupt', `Cannot read the snapshot ${name}: its manifest makes no sense`)
  const pairs = chunks as ReadonlyArray<readonly [number, string]>
  return { index, timeMs, chunks: pairs.map(([bytes, checksum]) => ({ bytes, checksum })) }
}

function parse(encoded: Uint8Array): Record<string, unknown> | undefined {
  try {
    return JSON.parse(new TextDecoder().decode(encoded)) as Record<string, unknown>
  } catch {
    return undefined
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isChunk(value: unknown): boolean {
  return Array.isArray(value) && isCount(value[0]) && typeof value[1] === 'string' && CHECKSUM.test(value[1])
}
