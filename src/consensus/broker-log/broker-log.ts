import type { Durability, Message } from '../../bus/index.ts'
import { ClosedError, SkeinError } from '../../core/index.ts'
import { OutcomeUnknownError } from '../errors.ts'
import type { LogMember, LogStatus } from '../log-status.ts'
import type { Appended, LogRead, ReadOptions, ReplicatedLog } from '../replicated-log.ts'
import type { SnapshotRef } from '../snapshot-ref.ts'
import type { SnapshotStore } from '../snapshot-store.ts'
import type { WaitOptions } from '../wait-options.ts'
import { brokerAdmin } from './broker-admin.ts'
import type { Claim } from './log-fold.ts'
import { OrderedTopic, type OrderedTopicParts, outcomeOf } from './ordered-topic.ts'
import { notLeading, PendingCalls } from './pending-calls.ts'

export interface BrokerLogParts extends OrderedTopicParts {
  readonly driver: string
}

/**
 * The replicated log that one partition of a broker keeps. Nobody is elected: whoever takes the log over writes a claim with
 * the next epoch into it, and what its predecessors append behind that is passed over by every reader.
 */
export class BrokerLog implements ReplicatedLog {
  readonly snapshots: SnapshotStore
  readonly admin = brokerAdmin
  readonly #parts: BrokerLogParts
  readonly #topic: OrderedTopic
  readonly #calls = new PendingCalls()
  #call = 0
  #isDraining = false
  #ending: Promise<void> | undefined
  #draining: Promise<void> | undefined

  constructor(parts: BrokerLogParts) {
    this.#parts = parts
    this.snapshots = parts.snapshots
    this.#topic = new OrderedTopic(parts, {
      onCall: (call) => {
        if (this.#isLeading) this.#calls.folded(call.call, call)
      },
      onClaim: (before) => this.#onClaim(before),
      onFailed: (error) => {
        this.#calls.failAll(() => new OutcomeUnknownError('this member has stopped', { cause: error }))
      },
    })
  }

  /** Called once: reads what is kept, and from then on what follows. */
  catchUp(): Promise<void> {
    return this.#topic.catchUp()
  }

  /**
   * Takes the log over: resolves when this member leads, or when somebody else has taken it over meanwhile. Rejects with
   * `wrong-cluster` where a Raft group elects who leads.
   */
  async lead({ signal }: WaitOptions = {}): Promise<void> {
    signal?.throwIfAborted()
    this.#topic.checkUsable()
    if (this.#isLeading) return
    const { epoch, leader } = this.#topic.fold
    if (leader?.cluster !== undefined) {
      const message = `Cannot take over the log in ${this.#parts.topic}: the Raft group "${leader.cluster}" elects who leads it; open it with openSequencedLog()`
      throw new SkeinError('wrong-cluster', message, { details: { found: leader.cluster } })
    }
    await this.#topic.claim(epoch + 1, signal === undefined ? {} : { signal })
  }

  get #isLeading(): boolean {
    return this.#topic.fold.leader?.nonce === this.#topic.nonce
  }

  /** What was sent and stands behind the claim is passed over by everyone: it is certainly not in the log. */
  #onClaim(before: Claim | undefined): void {
    this.#call = 0
    if (before?.nonce === this.#topic.nonce) this.#calls.failAll(() => this.#notLeading())
  }

  #notLeading(): SkeinError {
    return notLeading('append', this.#topic.fold.leader?.id)
  }

  async append(commands: readonly Uint8Array[], { signal }: WaitOptions = {}): Promise<Appended> {
    signal?.throwIfAborted()
    this.#topic.checkUsable()
    if (this.#isDraining) throw new ClosedError('this replicated log')
    this.#topic.checkCommands(commands)
    if (!this.#isLeading) throw this.#notLeading()
    if (this.#topic.writer.full) {
      const message = `Cannot append: ${this.#calls.count} calls wait to be stored; try again`
      throw new SkeinError('overloaded', message, { retryable: true })
    }
    this.#call += 1
    const call = this.#call
    const { epoch } = this.#topic.fold
    const folded = this.#calls.wait(call, signal)
    const written = this.#write(this.#messagesOf(commands, call), { epoch, call })
    const [{ indexes }, durability] = await Promise.all([folded, written])
    const [first, last] = [indexes[0]!, indexes.at(-1)!]
    return { first, last, term: epoch, durability, ...(last - first >= indexes.length && { indexes }) }
  }

  #messagesOf(commands: readonly Uint8Array[], call: number): Message[] {
    const { epoch } = this.#topic.fold
    const { length: count } = commands
    const shared = { kind: 'command', epoch, timeMs: this.#topic.nextTimeMs(), call, count } as const
    return commands.map((data, ordinal) => this.#topic.message({ ...shared, ordinal, data }))
  }

  /** Resolves to what the write survives. What became of a call whose write failed its place in the topic may still tell. */
  async #write(batch: readonly Message[], of: { readonly epoch: number; readonly call: number }): Promise<Durability> {
    try {
      return (await this.#topic.writer.write(batch)).durability
    } catch (error) {
      // Fenced meanwhile: that was told already, and is certain.
      const isOver = of.epoch < this.#topic.fold.epoch
      if (!isOver) this.#calls.fail(of.call, outcomeOf(error))
      this.#topic.growth.wake()
      throw isOver ? this.#notLeading() : outcomeOf(error)
    }
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
    const { leader } = this.#topic.fold
    const following = leader === undefined ? 'electing' : 'following'
    return {
      ...this.#topic.status(),
      implementation: this.#parts.driver,
      state: !this.#topic.isUsable ? 'closed' : this.#isLeading ? 'leading' : following,
      id: this.#parts.id,
      leader: leader && ({ id: leader.id, address: '', kind: 'voter' } satisfies LogMember),
      members: [],
    }
  }

  changes(options: WaitOptions = {}): AsyncGenerator<LogStatus, void, undefined> {
    return this.#topic.changes(() => this.status(), options)
  }

  drain(): Promise<void> {
    this.#draining ??= this.#drain()
    return this.#draining
  }

  async #drain(): Promise<void> {
    this.#isDraining = true
    while (this.#calls.count > 0 && this.#topic.isUsable) await this.#topic.growth.wait(undefined)
    await this.close()
  }

  close(): Promise<void> {
    this.#ending ??= this.#close()
    return this.#ending
  }

  async #close(): Promise<void> {
    const closing = this.#topic.close()
    this.#calls.failAll(() => new OutcomeUnknownError('the log was closed'))
    await closing
  }
}
