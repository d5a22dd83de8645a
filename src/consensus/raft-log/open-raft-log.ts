import { SkeinError } from '../../core/index.ts'
import { openRaftMember, RAFT_TIMES, type RaftMemberOptions } from '../raft-node/index.ts'
import { COMMAND_HEADER_BYTES } from './command-codec.ts'
import { RaftLog } from './raft-log.ts'

export interface RaftLogOptions extends RaftMemberOptions {
  /** Largest command. Default 1 MiB. */
  readonly commandBytesMax?: number
  /** Proposed and not committed, beyond which appends are refused. Default 64 MiB. */
  readonly uncommittedBytesMax?: number
  /** Entries in one message between members. Default 512 KiB. */
  readonly messageBytesMax?: number
  /** Committed entries held since the last compaction, beyond which a leader refuses appends. Default 1 GiB. */
  readonly retainedBytesMax?: number
}

const DEFAULTS = {
  ...RAFT_TIMES,
  commandBytesMax: 1024 * 1024,
  uncommittedBytesMax: 64 * 1024 * 1024,
  messageBytesMax: 512 * 1024,
  retainedBytesMax: 1024 * 1024 * 1024,
}

/**
 * Opens this member of a Raft group, and begins to take part. Rejects with `locked`, `port-in-use`, `bad-argument`, with
 * `corrupt` when what it had acknowledged is damaged: it must not vote again, and is replaced under a new id; with
 * `future-version`, and with `wrong-cluster` for the directory of another group.
 */
export async function openRaftLog(given: RaftLogOptions): Promise<RaftLog> {
  const options = { ...DEFAULTS, ...given }
  for (const name of ['commandBytesMax', 'retainedBytesMax'] as const) checkBytes(name, options[name])
  const limits = {
    entryBytesMax: options.commandBytesMax + COMMAND_HEADER_BYTES,
    uncommittedBytesMax: options.uncommittedBytesMax,
    messageBytesMax: options.messageBytesMax,
  }
  return openRaftMember(
    { ...options, limits },
    (opened) => new RaftLog({ ...options, ...opened, storage: options.disk.kind }),
  )
}

function checkBytes(name: string, bytes: number): void {
  if (Number.isSafeInteger(bytes) && bytes >= 1) return
  throw new SkeinError('bad-argument', `Cannot open a Raft log: ${name} is ${bytes}, it must be a whole number from 1`)
}
