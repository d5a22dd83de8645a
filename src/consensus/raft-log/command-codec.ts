import type { Entry } from '../../raft/index.ts'
import type { LogEntry } from '../replicated-log.ts'

/** Log time stands before the command's bytes: a double, little-endian. */
export const COMMAND_HEADER_BYTES = 8

/** The commands of one call as the data of entries: copied once, into one piece of memory. */
export function encodeCommands(commands: readonly Uint8Array[], timeMs: number): Uint8Array[] {
  let bytes = 0
  for (const { length } of commands) bytes += COMMAND_HEADER_BYTES + length
  const slab = Buffer.allocUnsafeSlow(bytes)
  const view = new DataView(slab.buffer)
  const encoded: Uint8Array[] = []
  let at = 0
  for (const command of commands) {
    const end = at + COMMAND_HEADER_BYTES + command.length
    view.setFloat64(at, timeMs, true)
    slab.set(command, at + COMMAND_HEADER_BYTES)
    encoded.push(slab.subarray(at, end))
    at = end
  }
  return encoded
}

export function timeOf({ data }: Entry): number {
  return new DataView(data.buffer, data.byteOffset, COMMAND_HEADER_BYTES).getFloat64(0, true)
}

export function decodeCommand(entry: Entry): LogEntry {
  const { index, term, data } = entry
  return { index, term, timeMs: timeOf(entry), data: data.subarray(COMMAND_HEADER_BYTES) }
}
