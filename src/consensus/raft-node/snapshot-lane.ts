import { SkeinError } from '../../core/index.ts'
import type { SnapshotManifest } from '../snapshot-manifest.ts'
import type { SnapshotRecord } from './snapshot-record.ts'

/** What is about to be sent, and in which term its leader said so. */
export interface SnapshotOffer {
  readonly term: number
  readonly record: SnapshotRecord
  readonly manifest: SnapshotManifest
}

export function encodeOffer(offer: SnapshotOffer): Uint8Array {
  return encode(offer)
}

/** Throws `malformed-frame`. */
export function decodeOffer(bytes: Uint8Array): SnapshotOffer {
  const { term, record, manifest } = decode(bytes) as Partial<SnapshotOffer>
  const isRecord = isCount(record?.metadata?.index) && typeof record?.snapshot?.name === 'string'
  const isWhole =
    isCount(term) && isRecord && Array.isArray(record?.members?.addresses) && Array.isArray(manifest?.chunks)
  if (
    !isWhole ||
    !manifest?.chunks.every(({ bytes: size, checksum }) => isCount(size) && typeof checksum === 'string')
  ) {
    throw malformed('an offer makes no sense')
  }
  return { term: term!, record: record!, manifest }
}

export function encodeWanted(numbers: readonly number[]): Uint8Array {
  return encode(numbers)
}

/** Throws `malformed-frame`. */
export function decodeWanted(bytes: Uint8Array): readonly number[] {
  const numbers = decode(bytes)
  if (Array.isArray(numbers) && numbers.every(isCount)) return numbers
  throw malformed('what is wanted makes no sense')
}

/** Without a problem the snapshot has arrived whole. */
export function encodeLaneEnd(problem: string | undefined): Uint8Array {
  return encode({ problem })
}

export function decodeLaneEnd(bytes: Uint8Array): string | undefined {
  const { problem } = decode(bytes) as { readonly problem?: unknown }
  return problem === undefined ? undefined : String(problem)
}

function encode(plain: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(plain))
}

function decode(bytes: Uint8Array): unknown {
  try {
    const plain: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    if (typeof plain === 'object' && plain !== null) return plain
  } catch {
    // Said below.
  }
  throw malformed('it is no JSON')
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function malformed(why: string): SkeinError {
  return new SkeinError('malformed-frame', `Cannot carry a snapshot: ${why}`)
}
