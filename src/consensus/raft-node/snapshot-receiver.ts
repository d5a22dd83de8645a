import { SkeinError } from '../../core/index.ts'
import type { SnapshotStore } from '../snapshot-store.ts'
import { FRAME } from './frame-kinds.ts'
import type { FramedConnection } from './framed-connection.ts'
import { encodeFrame } from './frames.ts'
import { decodeOffer, encodeLaneEnd, encodeWanted, type SnapshotOffer } from './snapshot-lane.ts'

export interface SnapshotReceiverOptions {
  readonly snapshots: SnapshotStore
  /** Whether an offer is of any use now. */
  readonly isWanted: (offer: SnapshotOffer) => boolean
  /** It is here, whole and durable, under a name of this member's own. */
  readonly onArrived: (offer: SnapshotOffer) => void
}

const CHUNKS_AT_ONCE = 8

/** Takes one snapshot from one lane: says which chunks are missing, checks and stores each as it comes. */
export class SnapshotReceiver {
  readonly #lane: FramedConnection
  readonly #options: SnapshotReceiverOptions
  #offer: SnapshotOffer | undefined
  /** Not asked for yet. */
  #missing: number[] = []
  /** Asked for and not arrived. */
  readonly #asked = new Set<number>()
  #unstored = 0
  /** Chunks are stored one after the other. */
  #work: Promise<void> = Promise.resolve()

  constructor(lane: FramedConnection, options: SnapshotReceiverOptions) {
    this.#lane = lane
    this.#options = options
    const { onEnd } = lane.handlers
    lane.handlers = { onFrame: (body) => this.#take(body), onEnd }
  }

  /** The name that is being filled, so that nobody deletes it. */
  get offered(): SnapshotOffer | undefined {
    return this.#offer
  }

  #take(body: Buffer): void {
    if (body[0] === FRAME.offer && this.#offer === undefined) {
      const offer = decodeOffer(body.subarray(1))
      const snapshot = this.#options.snapshots.own(offer.record.snapshot)
      this.#offer = { ...offer, record: { ...offer.record, snapshot } }
      this.#next(() => this.#answer())
    } else if (body[0] === FRAME.chunk && this.#offer !== undefined && body.length >= 5) {
      const number = body.readUInt32LE(1)
      if (!this.#asked.delete(number)) throw unexpected(this.#lane)
      this.#next(() => this.#store(number, body.subarray(5)))
    } else throw unexpected(this.#lane)
  }

  #next(work: () => Promise<void>): void {
    this.#work = this.#work.then(work).catch((error: unknown) => {
      this.#end(error instanceof Error ? error.message : String(error))
      this.#lane.end()
    })
  }

  async #answer(): Promise<void> {
    const { snapshots, isWanted } = this.#options
    const { record, manifest } = this.#offer!
    if (!isWanted(this.#offer!)) {
      this.#finish()
      return
    }
    for (const [number, expected] of manifest.chunks.entries()) {
      if (!(await snapshots.hasChunk(record.snapshot, number, expected))) this.#missing.push(number)
    }
    await this.#askForMore()
  }

  /** A few at a time: what arrives faster than it is stored lies in memory. */
  async #askForMore(): Promise<void> {
    if (this.#unstored > 0) return
    const numbers = this.#missing.splice(0, CHUNKS_AT_ONCE)
    if (numbers.length === 0) {
      await this.#adopt()
      return
    }
    for (const number of numbers) this.#asked.add(number)
    this.#unstored = numbers.length
    this.#lane.write([encodeFrame(FRAME.wanted, encodeWanted(numbers))])
  }

  async #store(number: number, bytes: Uint8Array): Promise<void> {
    const { record, manifest } = this.#offer!
    await this.#options.snapshots.putChunk(record.snapshot, { number, expected: manifest.chunks[number]! }, bytes)
    this.#unstored -= 1
    await this.#askForMore()
  }

  async #adopt(): Promise<void> {
    const { record, manifest } = this.#offer!
    await this.#options.snapshots.adopt(record.snapshot, manifest)
    this.#finish()
  }

  #finish(): void {
    this.#options.onArrived(this.#offer!)
    this.#end(undefined)
  }

  #end(problem: string | undefined): void {
    this.#lane.write([encodeFrame(FRAME.end, encodeLaneEnd(problem))])
  }
}

function unexpected({ remote }: FramedConnection): SkeinError {
  return new SkeinError('malformed-frame', `Cannot take a snapshot from ${remote}: it sent what was not asked for`)
}
