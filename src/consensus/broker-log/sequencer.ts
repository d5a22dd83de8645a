import type { Bus, Delivery, Message, Reader } from '../../bus/index.ts'
import { type Clock, SkeinError } from '../../core/index.ts'
import type { OrderedTopic } from './ordered-topic.ts'
import { decodeProposal, type Proposal } from './proposal-codec.ts'

export interface SequencerParts {
  readonly clock: Clock
  readonly bus: Bus
  readonly ordered: OrderedTopic
  /** The topic of proposals. */
  readonly proposals: string
  readonly cluster: string
  readonly retryMs: number
  /** It cannot go on, whoever leads. */
  readonly onFailed: (error: Error) => void
}

const READ_MESSAGES_MAX = 4_096
/** Whoever is elected while somebody else leads later hears of it long before. */
const ATTEMPTS_MAX = 100
/** What no repetition mends. */
const LASTING = ['corrupt', 'future-version', 'wrong-cluster', 'fenced']

/**
 * What a leader does: claims the log in its term, then takes proposals in the order of their topic, each batch that it is given
 * at once, and appends them behind the last one that is in the log. Whatever of its writes comes late, twice or in part, and
 * whatever a leader before it still writes: readers take each proposal once, because each names the one before it.
 */
export class Sequencer {
  readonly #parts: SequencerParts
  #reign: { readonly term: number; readonly stop: AbortController } | undefined
  /** Those of earlier terms may still be about to end. */
  #reigning: Promise<unknown> = Promise.resolve()
  /** Messages of the topic of proposals that were passed over because they are none. */
  unreadable = 0
  /** Why it had to begin again, the last time. */
  problem: unknown

  constructor(parts: SequencerParts) {
    this.#parts = parts
  }

  /** In which this member's claim is in force, or about to be. */
  lead(term: number): void {
    if (this.#reign?.term === term) return
    this.resign()
    const stop = new AbortController()
    this.#reign = { term, stop }
    this.#reigning = Promise.all([this.#reigning, this.#lead(term, stop.signal)])
  }

  resign(): void {
    this.#reign?.stop.abort(new Error('this member leads no more'))
    this.#reign = undefined
  }

  async #lead(term: number, signal: AbortSignal): Promise<void> {
    for (let attempts = 1; !signal.aborted; attempts += 1) {
      try {
        await this.#claim(term, signal)
        await this.#sequence(term, signal)
      } catch (error) {
        if (signal.aborted) return
        this.problem = error
        const { code = '' } = error as Partial<SkeinError>
        if (LASTING.includes(code)) return this.#parts.onFailed(error as Error)
        if (code === 'not-leader' && attempts >= ATTEMPTS_MAX) return this.#parts.onFailed(this.#overtaken(term, error))
      }
      await this.#parts.clock.sleep(this.#parts.retryMs, { signal }).catch(() => undefined)
    }
  }

  /** Resolves when all that was written before, by whomever, has come by, and this member's claim with it. */
  async #claim(term: number, signal: AbortSignal): Promise<void> {
    const { ordered, cluster } = this.#parts
    const { fold, nonce } = ordered
    const isInForce = () => fold.epoch === term && fold.leader?.nonce === nonce
    if (isInForce()) await ordered.barrier({ signal })
    else if (fold.epoch < term) await ordered.claim(term, { signal, cluster })
    this.checkOurs()
    if (isInForce()) return
    // A later leader was elected, of which this member is about to hear.
    throw new SkeinError('not-leader', `Cannot lead in term ${term}: the log is led in term ${fold.epoch}`)
  }

  /** Throws `wrong-cluster` where others wrote to the topic. */
  checkOurs(): void {
    const { ordered, cluster } = this.#parts
    const { leader } = ordered.fold
    if (leader === undefined || leader.cluster === cluster) return
    const who = leader.cluster === undefined ? 'members that nobody elects' : `the Raft group "${leader.cluster}"`
    const message = `Cannot use this log: ${who} wrote to its topic, this is "${cluster}"; give each log a topic of its own`
    throw new SkeinError('wrong-cluster', message, { details: { found: leader.cluster, expected: cluster } })
  }

  #overtaken(term: number, cause: unknown): SkeinError {
    const { epoch } = this.#parts.ordered.fold
    const message = `Cannot lead the log: its topic was led in term ${epoch}, and this group elects in term ${term}; its members began anew with empty directories: give the log another topic`
    return new SkeinError('fenced', message, { cause, details: { found: epoch, term } })
  }

  async #sequence(term: number, signal: AbortSignal): Promise<void> {
    const { bus, proposals, ordered } = this.#parts
    const { writer, fold } = ordered
    const broken = new AbortController()
    const until = AbortSignal.any([signal, broken.signal])
    const reader = bus.reader(proposals, { mode: 'broadcast', from: { partition: 0, sequence: fold.sequenced } })
    try {
      await checkNotAnew(reader, proposals, fold.sequenced)
      for (let previous = fold.sequenced; ; ) {
        const deliveries = await readOn(reader, until)
        const { messages, last } = this.#ordered(deliveries, { term, previous })
        previous = last
        if (messages.length === 0) continue
        if (writer.full) await writer.drained({ signal: until })
        until.throwIfAborted()
        writer.write(messages).catch((error: unknown) => broken.abort(error))
      }
    } finally {
      await reader.close()
    }
  }

  /** The commands of these proposals as records that continue the log behind `previous`. */
  #ordered(
    deliveries: readonly Delivery[],
    { term, previous }: { readonly term: number; readonly previous: number },
  ): { readonly messages: Message[]; readonly last: number } {
    const { ordered } = this.#parts
    const timeMs = ordered.nextTimeMs()
    const messages: Message[] = []
    let last = previous
    for (const { position, value } of deliveries) {
      const call = position.sequence + 1
      const proposal = call > last ? this.#read(value) : undefined
      if (proposal === undefined) continue
      const { proposer, number, commands } = proposal
      const shared = { kind: 'sequenced', epoch: term, timeMs, call, count: commands.length } as const
      const origin = { proposer, number, previous: last }
      for (const [ordinal, data] of commands.entries()) {
        messages.push(ordered.message({ ...shared, ordinal, data, origin }))
      }
      last = call
    }
    return { messages, last }
  }

  /** What is no proposal of ours holds nobody up. */
  #read(value: Uint8Array | null): Proposal | undefined {
    try {
      return decodeProposal(value ?? new Uint8Array(0))
    } catch {
      this.unreadable += 1
      return undefined
    }
  }

  async close(): Promise<void> {
    this.resign()
    await this.#reigning
  }
}

/** Proposals that the broker has lost, or let go, were never acknowledged: the others go on behind them. */
async function readOn(reader: Reader, signal: AbortSignal): Promise<readonly Delivery[]> {
  try {
    const batch = await reader.read({ signal, maxMessages: READ_MESSAGES_MAX })
    return batch?.deliveries ?? []
  } catch (error) {
    const { code } = error as Partial<SkeinError>
    if (code === 'position-gone' || code === 'corrupt') return []
    throw error
  }
}

/** In a topic that was deleted and made again places begin anew: what is proposed there would be taken for what is in the log. */
async function checkNotAnew(reader: Reader, topic: string, sequenced: number): Promise<void> {
  const end = (await reader.end())[0]?.sequence ?? 0
  if (end >= sequenced) return
  const message = `Cannot order what is proposed in ${topic}: it ends at ${end}, and proposals through ${sequenced} are in the log; the topic was made anew: give the log another one`
  throw new SkeinError('corrupt', message, { details: { end, sequenced } })
}
