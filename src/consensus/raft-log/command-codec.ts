import type { Entry } from '../../raft/index.ts'
import { ENTRY_HEADER_BYTES, writeEntryHeader } from '../raft-node/index.ts'
import type { LogEntry } from '../replicated-log.ts'

/** Log time stands before the command's bytes: a double, little-endian. */
export const COMMAND_HEADER_BYTES = 8

export interface CommandStamp {
  readonly timeMs: number
  /** Of the leader that proposes them. */
  readonly term: number
}

/**
 * The commands of one call as the data of entries: copied once, into one piece of memory in which they lie as they will be sent
 * and stored.
 */
export function encodeCommands(commands: readonly Uint8Array[], { timeMs, term }: CommandStamp): Uint8Array[] {
  let bytes = 0
  for (const { length } of commands) bytes += ENTRY_HEADER_BYTES + COMMAND_HEADER_BYTES + length
  const slab = Buffer.allocUnsafeSlow(bytes)
  const view = new DataView(slab.buffer)
  const encoded: Uint8Array[] = []
  let at = 0
  for (const command of commands) {
    const length = COMMAND_HEADER_BYTES + command.length
    writeEntryHeader(view, at, { length, kind: 'command', term })
    at += ENTRY_HEADER_BYTES
    view.setFloat64(at, timeMs, true)
    slab.set(command, at + COMMAND_HEADER_BYTES)
    // Made directly: `subarray` looks up how to make its result each time.
    encoded.push(new Uint8Array(slab.buffer, at, length))
    at += length
  }
  return encoded
}

/** A double is put together here: a view on each entry's own memory would be made for that alone. */
const timeBytes = new Uint8Array(COMMAND_HEADER_BYTES)
const timeView = new DataView(timeBytes.buffer)

export function timeOf({ data }: Entry): number {
  for (let at = 0; at < COMMAND_HEADER_BYTES; at += 1) timeBytes[at] = data[at]!
  return timeView.getFloat64(0, true)
}

export function decodeCommand(entry: Entry): LogEntry {
  const { index, term, data } = entry
  const { buffer, byteOffset, length } = data
  const command = Buffer.from(buffer, byteOffset + COMMAND_HEADER_BYTES, length - COMMAND_HEADER_BYTES)
  return { index, term, timeMs: timeOf(entry), data: command }
}
