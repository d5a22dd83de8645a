import { type Clock, SkeinError } from '../../core/index.ts'
import type { ChunkInfo } from '../snapshot-manifest.ts'
import type { SnapshotStore } from '../snapshot-store.ts'
import { FRAME } from './frame-kinds.ts'
import type { FramedConnection } from './framed-connection.ts'
import { encodeFrame } from './frames.ts'
import { decodeLaneEnd, decodeWanted, encodeOffer, type SnapshotOffer } from './snapshot-lane.ts'

/** A peer that takes nothing for so long is given up. */
const IDLE_MS_MAX = 30_000

/** Carries one snapshot to one peer over a lane of its own: an offer, the chunks it asks for, its word that they are there. */
export async function sendSnapshot(
  lane: FramedConnection,
  offer: SnapshotOffer,
  context: { readonly snapshots: SnapshotStore; readonly clock: Clock },
): Promise<void> {
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>()
  // Whoever awaits it may be at work on a chunk.
  ended.catch(() => undefined)
  const idle = () => lane.cut(new SkeinError('timeout', `Cannot send a snapshot to ${lane.remote}: it takes nothing`))
  let timer = context.clock.setTimer(idle, IDLE_MS_MAX)
  const alive = () => {
    timer.cancel()
    timer = context.clock.setTimer(idle, IDLE_MS_MAX)
  }
  lane.handlers = {
    onFrame: (body) => {
      alive()
      if (body[0] === FRAME.wanted)
        sendChunks(lane, offer, decodeWanted(body.subarray(1)), { ...context, alive }).catch(reject)
      else if (body[0] === FRAME.end) settle(decodeLaneEnd(body.subarray(1)), resolve, reject)
      else throw new SkeinError('malformed-frame', `Cannot send a snapshot to ${lane.remote}: it answers nonsense`)
    },
    onEnd: (error) =>
      reject(error ?? new SkeinError('connection-lost', `Cannot send a snapshot: ${lane.remote} is gone`)),
  }
  lane.write([encodeFrame(FRAME.offer, encodeOffer(offer))])
  try {
    await ended
  } finally {
    timer.cancel()
    lane.end()
  }
}

function settle(problem: string | undefined, resolve: () => void, reject: (error: Error) => void): void {
  if (problem === undefined) resolve()
  else reject(new SkeinError('write-failed', `Cannot send a snapshot: the peer says: ${problem}`))
}

async function sendChunks(
  lane: FramedConnection,
  { record, manifest }: SnapshotOffer,
  wanted: readonly number[],
  { snapshots, alive }: { readonly snapshots: SnapshotStore; readonly alive: () => void },
): Promise<void> {
  for (const number of wanted) {
    const expected: ChunkInfo | undefined = manifest.chunks[number]
    if (expected === undefined) throw new SkeinError('malformed-frame', `Cannot send chunk ${number}: there is none`)
    const bytes = await snapshots.chunk(record.snapshot, number, expected)
    await lane.drained()
    if (lane.hasEnded) return
    const head = Buffer.alloc(4)
    head.writeUInt32LE(number)
    lane.write([encodeFrame(FRAME.chunk, head, bytes)])
    alive()
  }
}
