import { crc32 } from 'node:zlib'
import type { SnapshotMetadata } from '../../../src/raft/index.ts'

/** A snapshot as it is stored and sent: what it stands for, and the state machine's bytes. */
export interface SnapshotFile {
  readonly metadata: SnapshotMetadata
  readonly state: Uint8Array
}

export const SNAPSHOT_PREFIX = 'snapshot-'

export function snapshotName(index: number): string {
  return `${SNAPSHOT_PREFIX}${String(index).padStart(12, '0')}`
}

export function encodeSnapshot({ metadata, state }: SnapshotFile): Uint8Array {
  const head = new TextEncoder().encode(JSON.stringify(metadata))
  const bytes = new Uint8Array(8 + head.length + state.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(4, head.length)
  bytes.set(head, 8)
  bytes.set(state, 8 + head.length)
  view.setUint32(0, crc32(bytes.subarray(4)))
  return bytes
}

/** Undefined when the checksum does not fit. */
export function decodeSnapshot(bytes: Uint8Array | undefined): SnapshotFile | undefined {
  if (bytes === undefined || bytes.length < 8) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.getUint32(0) !== crc32(bytes.subarray(4))) return undefined
  const end = 8 + view.getUint32(4)
  return { metadata: JSON.parse(new TextDecoder().decode(bytes.subarray(8, end))), state: bytes.slice(end) }
}
