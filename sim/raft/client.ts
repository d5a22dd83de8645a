import type { Random } from '../../src/core/index.ts'
import type { Operation } from '../../testing/index.ts'
import type { ProposalOutcome, ReadOutcome } from './member/member.ts'
import { encodeCommand } from './state-machine.ts'
import type { World } from './world.ts'

interface Call {
  readonly op: Operation['op']
  readonly key: string
  readonly value: Operation['value']
  readonly sequence: number
  readonly callMs: number
  /** What was acknowledged when it began. */
  readonly floor: number
  /** Attempts that were not refused: each may have reached a log. */
  pending: number
  isOver: boolean
}

const ATTEMPT_MS = 900
const CALL_MS = 5_000
const PATH_MS_MAX = 4
const LOSS_PERCENT = 2

/** One client with a session: one call at a time, the same command again until it is answered or time is up. */
export class Client {
  readonly name: string
  readonly #world: World
  readonly #random: Random
  #sequence = 0
  #target = 0
  #isStopped = false
  /** Calls that were answered with success. */
  answered = 0
  #open: Call | undefined
  readonly #lastSeen = new Map<string, string | null>()

  constructor(world: World, number: number) {
    this.name = `c${number}`
    this.#world = world
    this.#random = world.stream(`client ${number}`)
  }

  begin(): void {
    this.#thenCall()
  }

  /** Calls nothing more; the call that is open is given up. */
  stop(): void {
    this.#isStopped = true
    if (this.#open !== undefined) this.#giveUp(this.#open)
  }

  #giveUp(call: Call): void {
    this.#finish(call, { status: call.pending > 0 ? 'unknown' : 'fail', result: null })
  }

  #thenCall(): void {
    this.#world.events.after(this.#random.float() * this.#world.scenario.thinkMsMax, () => {
      if (!this.#isStopped) this.#call()
    })
  }

  #call(): void {
    this.#sequence += 1
    const { keys, readPercent } = this.#world.scenario
    const key = `k${Math.floor(this.#random.float() * keys)}`
    const isRead = this.#random.float() * 100 < readPercent
    const written = `${this.name}-${this.#sequence}`
    const op = isRead ? 'read' : this.#random.float() < 0.8 ? 'write' : 'cas'
    const value =
      op === 'read' ? null : op === 'write' ? written : ([this.#lastSeen.get(key) ?? null, written] as const)
    const call: Call = {
      op,
      key,
      value,
      sequence: this.#sequence,
      callMs: this.#world.events.nowMs,
      floor: this.#world.oracle.ackedThrough,
      pending: 0,
      isOver: false,
    }
    this.#open = call
    this.#world.events.after(CALL_MS, () => this.#giveUp(call))
    this.#attempt(call)
  }

  #attempt(call: Call): void {
    if (call.isOver) return
    const node = this.#chooseNode(call)
    const later = () => this.#attempt(call)
    let isAnswered = false
    const answer = (handle: () => void) =>
      this.#travel(() => {
        if (isAnswered || call.isOver) return
        isAnswered = true
        handle()
      })
    this.#world.events.after(ATTEMPT_MS, () => {
      if (isAnswered || call.isOver) return
      isAnswered = true
      this.#target = 0
      later()
    })
    if (node === undefined) return
    call.pending += 1
    this.#travel(() =>
      node.run(() => {
        if (node.member === undefined) return
        if (call.op === 'read') node.member.read(call.key, (outcome) => answer(() => this.#onRead(call, outcome)))
        else
          node.member.propose(this.#encode(call, node.wallOffsetMs), (outcome) =>
            answer(() => this.#onProposed(call, outcome)),
          )
      }),
    )
  }

  #chooseNode(call: Call) {
    const { nodes } = this.#world
    const hinted = nodes.get(this.#target)
    // Reads go anywhere: every node must give a linearizable answer or none.
    if (hinted !== undefined && hinted.state === 'up' && (call.op !== 'read' || this.#random.float() < 0.4))
      return hinted
    const candidates = [...nodes.values()].filter(({ state }) => state !== 'gone')
    return candidates[Math.floor(this.#random.float() * candidates.length)]
  }

  #travel(arrive: () => void): void {
    if (this.#random.float() * 100 < LOSS_PERCENT) return
    this.#world.events.after(0.2 + this.#random.float() * PATH_MS_MAX, arrive)
  }

  #encode({ op, key, value, sequence, callMs }: Call, skewMs: number): Uint8Array {
    const shared = { client: this.name, sequence, key, atMs: Math.round(callMs + skewMs) }
    if (op === 'write') {
      const padding = '.'.repeat(Math.floor(sizeFor(sequence) * this.#world.scenario.paddingBytesMax))
      return encodeCommand({ type: 'write', ...shared, value: value as string, padding })
    }
    const [expected, next] = value as readonly [string | null, string]
    return encodeCommand({ type: 'cas', ...shared, expected, next })
  }

  #onRead(call: Call, outcome: ReadOutcome): void {
    if (outcome.status === 'aborted') {
      this.#tryAgain(call)
      return
    }
    this.#world.oracle.wasRead(this.name, { applied: outcome.applied, floor: call.floor })
    this.#lastSeen.set(call.key, outcome.value)
    this.#world.tally.reads += 1
    this.#finish(call, { status: 'ok', result: outcome.value })
  }

  #onProposed(call: Call, outcome: ProposalOutcome): void {
    if (outcome.status === 'refused') {
      call.pending -= 1
      this.#target = outcome.leader
      this.#tryAgain(call)
      return
    }
    if (outcome.status === 'unknown' || outcome.reply === undefined || outcome.reply.isStale) {
      this.#tryAgain(call)
      return
    }
    this.#world.oracle.acknowledged(this.name, call.sequence, outcome.reply)
    this.#world.tally.acked += 1
    this.#finish(call, { status: 'ok', result: outcome.reply.result })
  }

  #tryAgain(call: Call): void {
    this.#world.events.after(20 + this.#random.float() * 80, () => this.#attempt(call))
  }

  #finish(call: Call, { status, result }: Pick<Operation, 'status' | 'result'>): void {
    if (call.isOver) return
    call.isOver = true
    if (status === 'ok') this.answered += 1
    const { op, key, value, callMs } = call
    const [callNs, returnNs] = [callMs, this.#world.events.nowMs].map((ms) => Math.round(ms * 1e6)) as [number, number]
    this.#world.history.push({ client: this.name, op, key, value, result, callNs, returnNs, status })
    this.#world.note(() => `${this.name} ${op} ${key} ${JSON.stringify(value)} → ${status} ${JSON.stringify(result)}`)
    this.#open = undefined
    this.#thenCall()
  }
}

/** Uneven, and the same for every attempt of one command. */
function sizeFor(sequence: number): number {
  return ((sequence * 7919) % 101) / 101
}
