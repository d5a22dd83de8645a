import type { Entry } from '../../../src/raft/index.ts'
import type { SimulatedVolume } from '../../../testing/index.ts'
import { type FrameScan, scanFrames } from './frames.ts'
import { decodeSnapshot, SNAPSHOT_PREFIX, type SnapshotFile } from './snapshot-file.ts'
import { decodeSlot, newestVote, VOTE_SLOTS } from './vote-slots.ts'

/** What a node finds on its disk. */
export interface Recovered {
  readonly term: number
  readonly vote: number
  readonly voteSequence: number
  /** Which of the vote slots this was read from. */
  readonly goodSlot: number
  readonly commit: number
  readonly snapshot: SnapshotFile | undefined
  /** Of the log: what precedes its first entry. */
  readonly startIndex: number
  readonly startTerm: number
  readonly entries: readonly Entry[]
  readonly walName: string
  readonly walEnd: number
  readonly walSequence: number
}

/** The disk lost what this node has promised to keep: it must not take part under this id again. */
export class DamagedDisk extends Error {
  override readonly name = 'DamagedDisk'
}

export const WAL_PREFIX = 'wal-'
const READS_MAX = 4

/**
 * Reads everything back. A bad read is tried again. What a crash may leave is put right: a torn end of the log is cut,
 * the bad one of two vote slots is ignored, half-made files are removed. What a crash cannot explain is damage: throws
 * `DamagedDisk`.
 */
export function recover(volume: SimulatedVolume): Recovered {
  const walName = lastNamed(volume, WAL_PREFIX)
  if (walName === undefined) throw new DamagedDisk('there is no log')
  const scan = readWal(volume, walName)
  const votes = readVotes(volume)
  const log = replay(scan)
  const snapshot = readSnapshot(volume, log.startIndex)
  volume.truncate(walName, scan.end)
  for (const name of volume.names()) {
    if (name.endsWith('.new') || (name.startsWith(WAL_PREFIX) && name < walName)) volume.remove(name)
  }
  const walSequence = scan.frames.length
  return { ...log, ...votes, snapshot, walName, walEnd: scan.end, walSequence }
}

function lastNamed(volume: SimulatedVolume, prefix: string): string | undefined {
  return volume.names().findLast((name) => name.startsWith(prefix) && !name.endsWith('.new'))
}

/** Reads until the result is good, or as often as a transient fault can spoil it. */
function readWell<T>(read: () => T, isGood: (result: T) => boolean): T {
  let result = read()
  for (let tries = 1; tries < READS_MAX && !isGood(result); tries += 1) result = read()
  return result
}

function readWal(volume: SimulatedVolume, name: string): FrameScan {
  let longest: FrameScan | undefined
  // A flipped bit in the last frame looks like a torn end: only reading again can tell.
  for (let tries = 0; tries < READS_MAX; tries += 1) {
    const scan = scanFrames(volume.read(name) ?? new Uint8Array(0))
    if (longest === undefined || scan.end > longest.end) longest = scan
  }
  if (longest!.frames.length === 0) throw new DamagedDisk(`${name} does not begin with a whole frame`)
  if (longest!.end < longest!.provenEnd) {
    throw new DamagedDisk(`${name} is damaged at ${longest!.end}, and was durable through ${longest!.provenEnd}`)
  }
  return longest!
}

function readVotes(volume: SimulatedVolume): Pick<Recovered, 'term' | 'vote' | 'voteSequence' | 'goodSlot'> {
  const slots = VOTE_SLOTS.map((name) =>
    readWell(
      () => volume.read(name),
      (bytes) => decodeSlot(bytes) !== undefined,
    ),
  )
  const newest = newestVote(slots)
  if (newest === undefined) throw new DamagedDisk('neither vote slot is whole')
  const goodSlot = slots.findIndex((bytes) => decodeSlot(bytes)?.sequence === newest.sequence)
  return { term: newest.term, vote: newest.vote, voteSequence: newest.sequence, goodSlot }
}

function replay(scan: FrameScan): Pick<Recovered, 'startIndex' | 'startTerm' | 'entries' | 'commit'> {
  let startIndex = 0
  let startTerm = 0
  let commit = 0
  const entries: Entry[] = []
  for (const record of scan.frames.flatMap(({ records }) => records)) {
    if (record.type === 'commit') commit = record.commit
    else if (record.type === 'start') {
      startIndex = record.index
      startTerm = record.term
      entries.length = 0
    } else {
      const kept = record.entry.index - startIndex - 1
      if (kept < 0 || kept > entries.length)
        throw new DamagedDisk(`the log has a gap before entry ${record.entry.index}`)
      entries.length = kept
      entries.push(record.entry)
    }
  }
  return { startIndex, startTerm, entries, commit }
}

/** The newest whole snapshot; the log must not begin behind it. */
function readSnapshot(volume: SimulatedVolume, startIndex: number): SnapshotFile | undefined {
  const names = volume.names().filter((name) => name.startsWith(SNAPSHOT_PREFIX) && !name.endsWith('.new'))
  for (const name of names.reverse()) {
    const snapshot = readWell(
      () => decodeSnapshot(volume.read(name)),
      (found) => found !== undefined,
    )
    if (snapshot === undefined) continue
    if (snapshot.metadata.index < startIndex) break
    return snapshot
  }
  if (startIndex === 0) return undefined
  throw new DamagedDisk(`no whole snapshot reaches entry ${startIndex}, where the log begins`)
}
