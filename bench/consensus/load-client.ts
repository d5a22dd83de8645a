import { connect, type Socket } from 'node:net'
import { ANSWER, appendFrame, CallFrames, type Refusal } from '../../sim/members/call-frames.ts'
import { wallMs } from '../remote/wall-clock.ts'

export interface LoadTarget {
  readonly id: number
  readonly port: number
}

export interface LoadOptions {
  /** A small number that no other client of the run has. */
  readonly client: number
  readonly targets: readonly LoadTarget[]
  readonly inFlight: number
  /** Acknowledged, after which it ends; without: when it is stopped. */
  readonly proposals?: number
}

/** The first acknowledgment over one connection. */
export interface FirstAcknowledgment {
  readonly target: number
  readonly atMs: number
}

export interface Loaded {
  readonly acknowledged: number
  readonly startedAtMs: number
  readonly endedAtMs: number
  /** Of each answer: how long it took, ms, and how many proposals it was for. */
  readonly waits: ReadonlyArray<readonly [ms: number, proposals: number]>
  /** Whose outcome nobody knows. */
  readonly unknown: number
}

const VALUE_BYTES = 256
const FILLER = Buffer.alloc(VALUE_BYTES, 'skein keeps what it says it keeps; ')
/** Between attempts to find who leads. */
const AGAIN_MS = 5

/**
 * A closed loop: so many proposals are in flight, and as many new ones follow as were answered. What is proposed in one
 * turn goes in one frame. It stays with whoever acknowledges and looks for another when refused or cut off.
 */
export class LoadClient {
  readonly #options: LoadOptions
  readonly #waits: Array<readonly [number, number]> = []
  readonly #firsts: FirstAcknowledgment[] = []
  /** By call: how many proposals, and when. */
  readonly #open = new Map<number, { readonly count: number; readonly sentAtMs: number }>()
  readonly #ended = Promise.withResolvers<void>()
  #socket: Socket | undefined
  #target = 0
  #free: number
  #calls = 0
  #number = 0
  #acknowledged = 0
  #unknown = 0
  #startedAtMs = 0
  #isStopped = false
  #isProposing = false

  constructor(options: LoadOptions) {
    this.#options = options
    this.#free = options.inFlight
  }

  /** Resolves when enough is acknowledged, or it was stopped. */
  async run(): Promise<Loaded> {
    this.#startedAtMs = wallMs()
    this.#connect()
    await this.#ended.promise
    return {
      acknowledged: this.#acknowledged,
      startedAtMs: this.#startedAtMs,
      endedAtMs: wallMs(),
      waits: this.#waits,
      unknown: this.#unknown,
    }
  }

  /** The first acknowledgment over each connection so far. */
  get firsts(): readonly FirstAcknowledgment[] {
    return this.#firsts
  }

  stop(): void {
    this.#isStopped = true
    this.#socket?.destroy()
    this.#ended.resolve()
  }

  #connect(): void {
    if (this.#isStopped) return
    const { targets } = this.#options
    const target = targets[this.#target % targets.length]!
    const socket = connect({ host: '127.0.0.1', port: target.port, noDelay: true })
    const frames = new CallFrames()
    let isFirst = true
    this.#socket = socket
    socket.on('connect', () => this.#proposeSoon())
    socket.on('data', (chunk) => {
      frames.push(chunk as Buffer, ({ kind, call, rest }) => {
        if (kind === ANSWER.done && isFirst) {
          this.#firsts.push({ target: target.id, atMs: wallMs() })
          isFirst = false
        }
        if (this.#socket === socket) this.#answered(kind, call, rest)
      })
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      if (this.#socket === socket) this.#lost(this.#target + 1)
    })
  }

  #answered(kind: number, call: number, rest: Buffer): void {
    const { count, sentAtMs } = this.#open.get(call)!
    this.#open.delete(call)
    this.#free += count
    if (kind === ANSWER.done) {
      this.#waits.push([performance.now() - sentAtMs, count])
      this.#acknowledged += count
      if (this.#acknowledged >= (this.#options.proposals ?? Number.POSITIVE_INFINITY)) this.stop()
      else this.#proposeSoon()
      return
    }
    if (kind === ANSWER.unknown) this.#unknown += count
    const leader = kind === ANSWER.refused ? (JSON.parse(rest.toString()) as Refusal).leader : undefined
    const known = this.#options.targets.findIndex(({ id }) => id === leader)
    this.#lost(known < 0 ? this.#target + 1 : known)
  }

  /** What was in flight there is unknown; goes on with another. */
  #lost(target: number): void {
    const socket = this.#socket
    this.#socket = undefined
    socket?.destroy()
    for (const { count } of this.#open.values()) {
      this.#unknown += count
      this.#free += count
    }
    this.#open.clear()
    this.#target = target
    setTimeout(() => this.#connect(), AGAIN_MS)
  }

  #proposeSoon(): void {
    if (this.#isProposing) return
    this.#isProposing = true
    setImmediate(() => {
      this.#isProposing = false
      if (this.#socket !== undefined && !this.#isStopped && this.#free > 0) this.#propose(this.#socket)
    })
  }

  #propose(socket: Socket): void {
    const count = this.#free
    const { client } = this.#options
    this.#free = 0
    this.#calls += 1
    this.#open.set(this.#calls, { count, sentAtMs: performance.now() })
    const before = this.#number
    const frame = appendFrame(this.#calls, { count, bytes: VALUE_BYTES }, (target, at, index) => {
      target.set(FILLER, at)
      target.writeUInt32LE(client, at)
      target.writeUInt32LE(before + index + 1, at + 4)
    })
    this.#number += count
    socket.write(frame)
  }
}
