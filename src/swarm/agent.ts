import type { Requests } from '../bus/index.ts'
import type { AgentIdentity, Lease, NodeTime } from '../channel/index.ts'
import { type Clock, ClosedError, checkTimeoutMs, type Random, SkeinError, type Timer, uuidV7 } from '../core/index.ts'
import { type AgentChange, type AgentDescription, checkChange, checkDescription } from './agent-description.ts'
import { askNode, mayAskAgain } from './ask-node.ts'
import { fencedBy } from './fenced-by.ts'
import { type Moment, momentOf, NodeTimeEstimate } from './node-time.ts'
import type { JoinReply, JoinRequest, PulseReply } from './protocol.ts'
import { CHANGE_REQUEST, JOIN_REQUEST, LEAVE_REQUEST, PULSE_REQUEST } from './topics.ts'

const JOIN_TIMEOUT_MS = 10_000
const ASK_TIMEOUT_MS = 2_000
const RETRY_DELAY_MS = 100

export interface JoinSwarmOptions {
  readonly requests: Requests
  readonly clock: Clock
  readonly random: Random
  readonly description: AgentDescription
  /** How long to try while the node cannot be reached, ms. Default 10,000. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/**
 * Joins the swarm: the agent gets an epoch, and whoever was there under its id is fenced. Rejects with `no-responder`
 * when no node answers, with `bad-argument` for a bad description, with `overloaded` when the roster is full.
 */
export async function joinSwarm(options: JoinSwarmOptions): Promise<Agent> {
  checkDescription(options.description)
  checkTimeoutMs('join', options.timeoutMs)
  const { clock } = options
  const { id, type, region, labels = {}, capabilities = [] } = options.description
  const request: JoinRequest = { id, type, region, labels, capabilities, joinId: uuidV7(clock, options.random) }
  const untilMs = clock.monotonicMs() + (options.timeoutMs ?? JOIN_TIMEOUT_MS)
  for (let attempt = 0; ; attempt += 1) {
    const askedAt = momentOf(clock)
    try {
      const question = { subject: JOIN_REQUEST, body: request }
      const reply = await askNode<JoinReply>(options.requests, question, {
        timeoutMs: ASK_TIMEOUT_MS,
        signal: options.signal,
      })
      return new Agent(options, reply, askedAt)
    } catch (error) {
      if (!mayAskAgain(error) || clock.monotonicMs() >= untilMs) throw cannotJoin(id, error)
    }
    const waitMs = jitteredDelayMs(options.random, attempt, ASK_TIMEOUT_MS)
    await clock.sleep(waitMs, options.signal ? { signal: options.signal } : {})
  }
}

/** A member of the swarm: it pulses, knows node time, and learns when it is fenced. */
export class Agent implements Lease {
  readonly #requests: Requests
  readonly #clock: Clock
  readonly #random: Random
  readonly #time: NodeTimeEstimate
  readonly #fenced = new AbortController()
  readonly #stop = new AbortController()
  readonly #pulseMs: number
  readonly #leaseMs: number
  #identity: AgentIdentity
  #leaseUntilMs = 0
  #failures = 0
  #timer: Timer | undefined
  #pulsing: Promise<void> | undefined
  #leaving: Promise<void> | undefined

  /** Use `joinSwarm`. */
  constructor(options: JoinSwarmOptions, reply: JoinReply, askedAt: Moment) {
    const { id, type, region } = options.description
    this.#requests = options.requests
    this.#clock = options.clock
    this.#random = options.random
    this.#time = new NodeTimeEstimate(options.clock)
    this.#pulseMs = reply.pulseMs
    this.#leaseMs = reply.leaseMs
    this.#identity = { id, type, region, epoch: reply.epoch }
    this.#exchanged(reply.nowMs, askedAt)
    // Agents that joined together need not pulse together.
    this.#schedule(this.#pulseMs * this.#random.float())
  }

  get identity(): AgentIdentity {
    return this.#identity
  }

  get nodeTime(): NodeTime {
    return this.#time
  }

  get fenced(): AbortSignal {
    return this.#fenced.signal
  }

  held(): boolean {
    if (this.#stop.signal.aborted || this.#fenced.signal.aborted) return false
    // After a sleep that the monotonic clock did not count nobody knows whether the lease is over: the node is asked.
    return this.#clock.monotonicMs() < this.#leaseUntilMs && this.#time.latestMs() !== undefined
  }

  async renew(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const { signal } = options
    for (let attempt = 0; !this.held(); attempt += 1) {
      signal?.throwIfAborted()
      this.#throwIfOver()
      await this.#pulse()
      if (this.held()) return
      this.#throwIfOver()
      const waiting = signal ? AbortSignal.any([signal, this.#stop.signal]) : this.#stop.signal
      await this.#clock.sleep(jitteredDelayMs(this.#random, attempt, this.#pulseMs), { signal: waiting })
    }
  }

  /** Somebody says that a newer epoch took this one's place: the lease is over until the node has been asked. */
  doubt(): void {
    this.#leaseUntilMs = 0
    if (!this.#stop.signal.aborted && !this.#fenced.signal.aborted) void this.#pulse()
  }

  /** Says what changed. Rejects with `fenced`, `unknown-agent`, `bad-argument`, or as the node cannot be reached. */
  async change(change: AgentChange, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#throwIfOver()
    checkChange(change)
    const { id, epoch } = this.#identity
    const question = { subject: CHANGE_REQUEST, body: { id, epoch, change } }
    await askNode(this.#requests, question, { timeoutMs: ASK_TIMEOUT_MS, signal: options.signal })
    const { type = this.#identity.type, region = this.#identity.region } = change
    this.#identity = { id, epoch, type, region }
  }

  /** Leaves the swarm in good order. Idempotent. One that is fenced has nothing left to leave. */
  leave(): Promise<void> {
    this.#leaving ??= this.#leave()
    return this.#leaving
  }

  /** Stops pulsing without a word: the swarm takes it as lost in time. */
  close(): void {
    this.#timer?.cancel()
    this.#stop.abort(new ClosedError(`agent "${this.#identity.id}"`))
  }

  async #leave(): Promise<void> {
    this.close()
    if (this.#fenced.signal.aborted) return
    const { id, epoch } = this.#identity
    await askNode(this.#requests, { subject: LEAVE_REQUEST, body: { id, epoch } }, { timeoutMs: ASK_TIMEOUT_MS })
  }

  #throwIfOver(): void {
    this.#fenced.signal.throwIfAborted()
    this.#stop.signal.throwIfAborted()
  }

  /** One exchange at a time; whoever asks meanwhile waits for the same one. It never rejects. */
  #pulse(): Promise<void> {
    this.#pulsing ??= this.#exchange().finally(() => {
      this.#pulsing = undefined
    })
    return this.#pulsing
  }

  async #exchange(): Promise<void> {
    const { id, epoch } = this.#identity
    const askedAt = momentOf(this.#clock)
    try {
      const question = { subject: PULSE_REQUEST, body: { id, epoch } }
      const reply = await askNode<PulseReply>(this.#requests, question, {
        timeoutMs: Math.min(ASK_TIMEOUT_MS, this.#leaseMs),
        signal: this.#stop.signal,
      })
      this.#answered(reply, askedAt)
    } catch {
      // The node is away, or its answer is lost: the lease runs out by itself, and pulses go on.
      this.#failures += 1
    }
  }

  #answered(reply: PulseReply, askedAt: Moment): void {
    this.#failures = 0
    if (reply.state === 'alive') {
      this.#exchanged(reply.nowMs, askedAt)
      return
    }
    this.#timer?.cancel()
    const reason = reply.state === 'fenced' ? fencedBy(this.#identity, reply.epoch ?? -1) : forgotten(this.#identity)
    this.#fenced.abort(reason)
  }

  #exchanged(nodeMs: number, askedAt: Moment): void {
    this.#time.exchanged(nodeMs, askedAt)
    this.#leaseUntilMs = askedAt.monotonicMs + this.#leaseMs
  }

  #schedule(delayMs: number): void {
    this.#timer = this.#clock.setTimer(() => {
      const startedAtMs = this.#clock.monotonicMs()
      void this.#pulse().then(() => {
        if (this.#stop.signal.aborted || this.#fenced.signal.aborted) return
        this.#schedule(this.#nextPulseMs(this.#clock.monotonicMs() - startedAtMs))
      })
    }, delayMs)
  }

  #nextPulseMs(elapsedMs: number): number {
    if (this.#failures > 0) return jitteredDelayMs(this.#random, this.#failures, this.#pulseMs)
    return Math.max(0, this.#pulseMs - elapsedMs)
  }
}

/** Full jitter: anything from nothing up to a bound that doubles with each attempt. */
function jitteredDelayMs(random: Random, attempt: number, delayMsMax: number): number {
  return random.float() * Math.min(delayMsMax, RETRY_DELAY_MS * 2 ** Math.min(attempt, 16))
}

function cannotJoin(id: string, error: unknown): unknown {
  if (!(error instanceof SkeinError) || !mayAskAgain(error)) return error
  const message = `Cannot join as "${id}": no node answered. Start one with \`skein up\`, or check the address`
  return new SkeinError(error.code, message, { cause: error, retryable: true, details: { agentId: id } })
}

function forgotten({ id, epoch }: AgentIdentity): SkeinError {
  const message = `Cannot act as "${id}" any more: the node knows no epoch ${epoch} of it; join again`
  return new SkeinError('fenced', message, { details: { agentId: id, epoch } })
}
