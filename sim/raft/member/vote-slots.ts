import { crc32 } from 'node:zlib'

/** A term and the vote given in it. */
export interface Vote {
  readonly term: number
  readonly vote: number
}

interface Slot extends Vote {
  readonly sequence: number
}

export const VOTE_SLOTS: readonly string[] = ['vote-0', 'vote-1']
const MAGIC = 0x564f5445
const SLOT_BYTES = 20

export function encodeSlot({ sequence, term, vote }: Slot): Uint8Array {
  const bytes = new Uint8Array(SLOT_BYTES)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, MAGIC)
  view.setUint32(8, sequence)
  view.setUint32(12, term)
  view.setUint32(16, vote)
  view.setUint32(4, crc32(bytes.subarray(8)))
  return bytes
}

export function decodeSlot(bytes: Uint8Array | undefined): Slot | undefined {
  if (bytes === undefined || bytes.length !== SLOT_BYTES) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, SLOT_BYTES)
  if (view.getUint32(0) !== MAGIC || view.getUint32(4) !== crc32(bytes.subarray(8))) return undefined
  return { sequence: view.getUint32(8), term: view.getUint32(12), vote: view.getUint32(16) }
}

/** The newer of the slots that are whole. */
export function newestVote(slots: ReadonlyArray<Uint8Array | undefined>): Slot | undefined {
  let newest: Slot | undefined
  for (const bytes of slots) {
    const slot = decodeSlot(bytes)
    if (slot !== undefined && slot.sequence > (newest?.sequence ?? -1)) newest = slot
  }
  return newest
}
