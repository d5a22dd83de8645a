import { type Clock, type Disk, parentPath, SkeinError } from '../core/index.ts'
import { type Checkpoint, CheckpointFile } from './checkpoint.ts'
import { loadSegments } from './load-segments.ts'
import type { Log, SyncPolicy } from './log.ts'
import { type LogEnd, recoverEnd } from './recover.ts'
import type { Segment } from './segment.ts'
import { SegmentedLog } from './segmented-log.ts'

export interface LogOptions {
  readonly disk: Disk
  readonly clock: Clock
  /** Made when it is missing. One log per directory. */
  readonly directory: string
  /** Default `group`. */
  readonly sync?: SyncPolicy
  /** Size at which a new segment is begun. Default 64 MiB. */
  readonly segmentBytes?: number
  /** Bytes of one group before the next is begun. Default 8 MiB. */
  readonly groupBytesMax?: number
  /** Bytes waiting before appends are refused with `overloaded`. Default 64 MiB. */
  readonly queueBytesMax?: number
  /** Quiet time after which the synced end is written down. Default 100. */
  readonly idleMs?: number
  /** False for who holds a lock on the whole data directory already. Default true. */
  readonly lock?: boolean
}

/**
 * Opens the log in a directory, or begins one there. Reads what lies past the last checkpoint, and no more. Rejects with
 * `locked`, `future-version`, `disk-full`, `io-failed`; damage is no reason to fail: see `Log.status()` and `Log.read()`.
 */
export async function openLog(options: LogOptions): Promise<Log> {
  const { disk, directory } = options
  const sync = options.sync ?? { kind: 'group' }
  if (sync.kind === 'interval' && !(sync.intervalMs > 0)) {
    throw new SkeinError('bad-argument', `Cannot open ${directory}: the sync interval must be more than 0 ms`)
  }
  await disk.makeDirectory(directory)
  const lock = options.lock === false ? undefined : await disk.lock(directory)
  let checkpoint: CheckpointFile | undefined
  try {
    const opened = await CheckpointFile.open(disk, directory)
    checkpoint = opened.file
    const segments = await loadSegments(disk, directory, opened.newest)
    // A sync of the directory may have failed, or not come to pass, after a segment had got its name.
    await disk.syncDirectory(directory)
    if (segments.length === 0) await syncAncestors(disk, directory)
    const end = await findEnd(disk, directory, segments, opened.newest)
    const log = new SegmentedLog(
      {
        disk,
        clock: options.clock,
        directory,
        sync,
        segmentBytes: options.segmentBytes ?? 64 * 1024 * 1024,
        groupBytesMax: options.groupBytesMax ?? 8 * 1024 * 1024,
        queueBytesMax: options.queueBytesMax ?? 64 * 1024 * 1024,
        idleMs: options.idleMs ?? 100,
      },
      { checkpoint, newest: opened.newest, segments, end, lock },
    )
    await log.begin()
    return log
  } catch (error) {
    await checkpoint?.close().catch(() => undefined)
    await lock?.release()
    throw error
  }
}

/** The way to a new log must survive power loss as the log does. Which of the directories are new nobody knows any more. */
async function syncAncestors(disk: Disk, directory: string): Promise<void> {
  const root = directory.startsWith('/') ? '/' : '.'
  for (let path = directory; path !== ''; path = parentPath(path)) {
    try {
      await disk.syncDirectory(parentPath(path) || root)
    } catch (error) {
      // One that we may not even open is none that was made for us.
      const errno = error instanceof SkeinError ? error.details.errno : undefined
      if (errno !== 'EACCES' && errno !== 'EPERM') throw error
    }
  }
}

async function findEnd(
  disk: Disk,
  directory: string,
  segments: readonly Segment[],
  checkpoint: Checkpoint | undefined,
): Promise<LogEnd> {
  const last = segments.at(-1)
  if (last !== undefined) return recoverEnd(disk, directory, last, checkpoint)
  return {
    nextOffset: checkpoint?.endOffset ?? 0,
    endPosition: checkpoint?.provenEnd ?? 0,
    lastAppendedAtMs: checkpoint?.lastAppendedAtMs ?? 0,
    tornBytes: 0,
    isAppendable: false,
    wasUnclean: false,
  }
}
