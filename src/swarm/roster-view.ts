import { type Batch, type Bus, type Delivery, partitionsRead, type Reader } from '../bus/index.ts'
import type { AgentRecord, AgentSelector, Roster } from '../channel/index.ts'
import { type Clock, ClosedError, SkeinError } from '../core/index.ts'
import { RosterFold } from './roster-fold.ts'
import { type RosterEntry, readRosterEntry } from './roster-record.ts'
import { ROSTER_TOPIC } from './topics.ts'

export interface RosterViewOptions {
  readonly bus: Bus
  readonly clock: Clock
  /** Called with each record that counted, in order. */
  readonly onEntry?: (entry: RosterEntry, sequence: number) => void
  readonly onError?: (error: unknown) => void
}

interface Waiter {
  /** Everything below this sequence must be folded in. */
  readonly end: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

const QUIET_MS = 1_000
const RETRY_DELAY_MS = 500

/** Who is in the swarm, folded from the roster topic wherever it can be read. */
export class RosterView implements Roster {
  readonly #options: RosterViewOptions
  readonly #fold = new RosterFold()
  readonly #stop = new AbortController()
  readonly #running: Promise<void>
  #reader: Reader
  #next = 0
  #waiters: Waiter[] = []

  constructor(options: RosterViewOptions) {
    this.#options = options
    this.#reader = this.#open()
    this.#running = this.#run()
  }

  /** Position of the newest decider's record; -1 when there was none. */
  get ownerEpoch(): number {
    return this.#fold.ownerEpoch
  }

  async ready(): Promise<void> {
    if (this.#stop.signal.aborted) throw new ClosedError('the roster')
    const end = (await this.#reader.end())[0]?.sequence ?? 0
    if (this.#next >= end) return
    await new Promise<void>((resolve, reject) => this.#waiters.push({ end, resolve, reject }))
  }

  get(agentId: string): AgentRecord | undefined {
    return this.#fold.get(agentId)
  }

  select(selector: AgentSelector): readonly AgentRecord[] {
    return this.#fold.select(selector)
  }

  /** Everyone, those that left included, sorted by id. */
  all(): readonly AgentRecord[] {
    return this.#fold.all()
  }

  async close(): Promise<void> {
    if (this.#stop.signal.aborted) return this.#running
    this.#stop.abort(new ClosedError('the roster'))
    for (const waiter of this.#waiters.splice(0)) waiter.reject(this.#stop.signal.reason)
    await this.#reader.close()
    await this.#running
  }

  #open(): Reader {
    return this.#options.bus.reader(ROSTER_TOPIC, { mode: 'broadcast', from: 'earliest' })
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        await this.#readOn()
      } catch (error) {
        if (this.#stop.signal.aborted) return
        this.#options.onError?.(error)
        await this.#options.clock.sleep(RETRY_DELAY_MS, { signal: this.#stop.signal }).catch(() => {})
        if (!this.#stop.signal.aborted) await this.#startOver(error)
      }
    }
  }

  async #readOn(): Promise<void> {
    const batch = await this.#reader.read({ waitMs: QUIET_MS, signal: this.#stop.signal })
    if (batch !== null) return this.#take(batch)
    if (this.#waiters.length === 0) return
    // The last records before the end may be gone by compaction: what the reader will not give is not there.
    const end = (await this.#reader.end())[0]?.sequence ?? 0
    if ((await partitionsRead(this.#reader)).includes(0)) this.#reached(end)
  }

  #take(batch: Batch): void {
    for (const delivery of batch.deliveries) this.#foldIn(delivery)
    this.#reached(batch.last.sequence + 1)
  }

  #foldIn(delivery: Delivery): void {
    try {
      const entry = readRosterEntry(delivery)
      if (this.#fold.apply(entry)) this.#options.onEntry?.(entry, delivery.position.sequence)
    } catch (error) {
      this.#options.onError?.(error)
    }
  }

  #reached(next: number): void {
    this.#next = Math.max(this.#next, next)
    if (this.#waiters.length === 0) return
    const [done, waiting] = [[] as Waiter[], [] as Waiter[]]
    for (const waiter of this.#waiters) (waiter.end <= this.#next ? done : waiting).push(waiter)
    this.#waiters = waiting
    for (const waiter of done) waiter.resolve()
  }

  /** A reader that failed is of no more use; what it had read is folded again, which changes nothing. */
  async #startOver(error: unknown): Promise<void> {
    await this.#reader.close().catch(() => {})
    if (error instanceof SkeinError && error.code === 'position-gone') this.#fold.clear()
    this.#reader = this.#open()
  }
}
