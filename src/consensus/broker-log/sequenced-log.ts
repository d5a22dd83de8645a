import type { Bus, Durability, Writer } from '../../bus/index.ts'
import { ClosedError, SkeinError, type Timer } from '../../core/index.ts'
import { NOBODY, NotLeaderError } from '../../raft/index.ts'
import { OutcomeUnknownError } from '../errors.ts'
import type { LogAdmin } from '../log-admin.ts'
import type { LogMember, LogStatus } from '../log-status.ts'
import type { RaftTimes } from '../raft-node/index.ts'
import type { Appended, LogRead, ReadOptions, ReplicatedLog } from '../replicated-log.ts'
import type { SnapshotRef } from '../snapshot-ref.ts'
import type { SnapshotStore } from '../snapshot-store.ts'
import type { WaitOptions } from '../wait-options.ts'
import { Election } from './election.ts'
import type { FoldedCall } from './log-fold.ts'
import { OrderedTopic, type OrderedTopicParts, outcomeOf } from './ordered-topic.ts'
import { PendingCalls } from './pending-calls.ts'
import { encodeProposal, proposalBytes } from './proposal-codec.ts'
import { Sequencer } from './sequencer.ts'

export interface SequencedLogParts extends OrderedTopicParts, RaftTimes {
  readonly proposals: string
  readonly cluster: string
  readonly durability: Durability
  readonly callBytesMax: number
  readonly outcomeWithinMs: number
}

const DRAIN_MS_MAX = 5_000

/**
 * A log in one partition of a broker whose writer a Raft group elects. Commands are proposed in one topic, and ordered into
 * another by the leader, with its term; what a leader of an earlier term writes behind a later one's claim is passed over by
 * every reader. A proposal that was stored is ordered by the next leader when this one is gone: it is never in the log twice.
 */
export class SequencedLog implements ReplicatedLog {
  readonly snapshots: SnapshotStore
  readonly #parts: SequencedLogParts
  readonly #topic: OrderedTopic
  readonly #election: Election
  readonly #sequencer: Sequencer
  readonly #proposals: Writer
  readonly #calls = new PendingCalls()
  #number = 0
  #timer: Timer | undefined
  #isDraining = false
  #ending: Promise<void> | undefined
  #draining: Promise<void> | undefined

  constructor(parts: SequencedLogParts & { readonly bus: Bus }) {
    this.#parts = parts
    this.snapshots = parts.snapshots
    const onFailed = (error: Error) => this.#topic.fail(error)
    this.#topic = new OrderedTopic(parts, {
      onCall: (call) => this.#onCall(call),
      onClaim: () => this.#follow(),
      onFailed: (error) => {
        this.#sequencer.resign()
        this.#calls.failAll(() => new OutcomeUnknownError('this member has stopped', { cause: error }))
      },
    })
    const retryMs = parts.heartbeatMs
    this.#sequencer = new Sequencer({ ...parts, ordered: this.#topic, retryMs, onFailed })
    this.#election = new Election({ ...parts, news: this.#topic.news, onRole: () => this.#follow(), onFailed })
    this.#proposals = parts.bus.writer(parts.proposals, { pendingBytesMax: parts.pendingBytesMax })
  }

  get election(): Election {
    return this.#election
  }

  get admin(): LogAdmin {
    return this.#election.admin
  }

  /** Called once, before the election begins: reads what is kept, and from then on what follows. Rejects with `wrong-cluster`. */
  async catchUp(): Promise<void> {
    await this.#topic.catchUp()
    this.#sequencer.checkOurs()
  }

  /** Does as the election says. */
  #follow(): void {
    const { term } = this.#election
    if (term === undefined || this.#topic.fold.epoch > term || !this.#topic.isUsable) this.#sequencer.resign()
    else this.#sequencer.lead(term)
  }

  /** Elected, and its claim is the newest: what it orders is in the log. */
  get #isLeading(): boolean {
    const { epoch, leader } = this.#topic.fold
    return this.#election.term === epoch && leader?.nonce === this.#topic.nonce
  }

  #onCall(call: FoldedCall): void {
    if (call.origin?.proposer === this.#topic.nonce) this.#calls.folded(call.origin.number, call)
  }

  async append(commands: readonly Uint8Array[], options: WaitOptions = {}): Promise<Appended> {
    options.signal?.throwIfAborted()
    this.#checkAppend(commands)
    if (!this.#isLeading) throw new NotLeaderError('append', Number(this.#election.leader?.id ?? NOBODY))
    return this.#propose(commands, options)
  }

  /**
   * Appends from any member: the proposal waits for whoever leads. Resolves and rejects as `append` does, but never with
   * `not-leader`; with no leader it ends as `outcome-unknown`.
   */
  async propose(commands: readonly Uint8Array[], options: WaitOptions = {}): Promise<Appended> {
    options.signal?.throwIfAborted()
    this.#checkAppend(commands)
    return this.#propose(commands, options)
  }

  #checkAppend(commands: readonly Uint8Array[]): void {
    this.#topic.checkUsable()
    if (this.#isDraining) throw new ClosedError('this replicated log')
    this.#topic.checkCommands(commands)
    const { callBytesMax } = this.#parts
    const bytes = proposalBytes(commands)
    if (bytes > callBytesMax) {
      const message = `Cannot append ${commands.length} commands of ${bytes} bytes at once: at most ${callBytesMax}; make several calls of it`
      throw new SkeinError('message-too-large', message, { details: { bytes, bytesMax: callBytesMax } })
    }
    if (!this.#proposals.full) return
    const message = `Cannot append: ${this.#calls.count} calls wait to be stored; try again`
    throw new SkeinError('overloaded', message, { retryable: true })
  }

  async #propose(commands: readonly Uint8Array[], { signal }: WaitOptions): Promise<Appended> {
    this.#number += 1
    const number = this.#number
    const { clock, proposals, durability } = this.#parts
    const value = encodeProposal({ proposer: this.#topic.nonce, number, commands })
    const folded = this.#calls.wait(number, signal, clock.monotonicMs())
    this.#watch()
    this.#proposals.write([{ subject: `${proposals}.call`, key: 'log', value }]).catch((error: unknown) => {
      this.#calls.fail(number, outcomeOf(error))
    })
    const { indexes, epoch } = await folded
    const [first, last] = [indexes[0]!, indexes.at(-1)!]
    return { first, last, term: epoch, durability, ...(last - first >= indexes.length && { indexes }) }
  }

  /** No call waits for ever: without a leader nobody can say when there will be one. */
  #watch(): void {
    if (this.#timer !== undefined) return
    const { clock, outcomeWithinMs } = this.#parts
    this.#timer = clock.setTimer(() => {
      this.#timer = undefined
      const cause = this.#sequencer.problem
      const why = `no leader has ordered it within ${outcomeWithinMs} ms`
      this.#calls.failBefore(clock.monotonicMs() - outcomeWithinMs, () => new OutcomeUnknownError(why, { cause }))
      if (this.#calls.count > 0) this.#watch()
    }, outcomeWithinMs / 4)
  }

  read(from: number, options: ReadOptions = {}): AsyncIterable<LogRead> {
    return this.#topic.read(from, options)
  }

  barrier(options: WaitOptions = {}): Promise<number> {
    return this.#topic.barrier(options)
  }

  compact(through: number, snapshot: SnapshotRef, options: WaitOptions = {}): Promise<void> {
    return this.#topic.compact(through, snapshot, options)
  }

  status(): LogStatus {
    const { leader, members } = this.#election
    return {
      ...this.#topic.status(),
      implementation: 'sequenced',
      state: this.#state(leader),
      id: this.#parts.id,
      leader,
      members,
    }
  }

  #state(leader: LogMember | undefined): LogStatus['state'] {
    if (!this.#topic.isUsable) return 'closed'
    if (this.#isLeading) return 'leading'
    // Elected, and not yet in force: nothing is taken here.
    return leader === undefined || leader.id === this.#parts.id ? 'electing' : 'following'
  }

  changes(options: WaitOptions = {}): AsyncGenerator<LogStatus, void, undefined> {
    return this.#topic.changes(() => this.status(), options)
  }

  /** Messages among the proposals that are none, passed over by this member as it led. */
  get unreadable(): number {
    return this.#sequencer.unreadable
  }

  /** Where others reach this member. */
  get address(): string {
    return this.#election.address
  }

  drain(): Promise<void> {
    this.#draining ??= this.#drain()
    return this.#draining
  }

  async #drain(): Promise<void> {
    this.#isDraining = true
    const { clock, heartbeatMs } = this.#parts
    const untilMs = clock.monotonicMs() + DRAIN_MS_MAX
    const isOver = () => !this.#topic.isUsable || clock.monotonicMs() > untilMs
    while (this.#calls.count > 0 && !isOver()) await clock.sleep(heartbeatMs / 10)
    if (!isOver() && this.#election.handOver()) {
      while (this.#election.term !== undefined && !isOver()) await clock.sleep(heartbeatMs / 10)
    }
    await this.close()
  }

  close(): Promise<void> {
    this.#ending ??= this.#close()
    return this.#ending
  }

  async #close(): Promise<void> {
    this.#timer?.cancel()
    const closing = this.#topic.close()
    this.#calls.failAll(() => new OutcomeUnknownError('the log was closed'))
    await Promise.all([closing, this.#sequencer.close(), this.#proposals.close(), this.#election.close()])
  }
}
