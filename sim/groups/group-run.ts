import { openEmbeddedBus } from '../../src/bus/drivers/embedded/index.ts'
import type { Batch, Bus, Delivery, Message, Reader } from '../../src/bus/index.ts'
import type { Random } from '../../src/core/index.ts'
import { SimulatedClock, SimulatedDisk, seededRandom } from '../../testing/index.ts'
import type { GroupHistory, Step } from './history.ts'

const TOPIC = 'sim.work'
const GROUP = 'workers'
const PARTITIONS = 2
const KEYS = 6
const READERS_MAX = 3
const ATTEMPTS_MAX = 3
const PARKED_MAX = 20
/** A reader that holds messages of a partition it is to lose gets so long. */
const REVOCATION_WAIT_MS = 2_000
const TTL_MS = 3_600_000
/** Turns of a quiet swarm after which nothing more can come. */
const QUIET_TURNS = 40
const STEP_MS = 10
const WAIT_LIMIT_MS = 600_000

/** A reader with what it holds: per partition the batches in the order in which it was given them. */
interface Worker {
  readonly number: number
  readonly reader: Reader
  readonly held: Map<number, Batch[]>
  /** Taken away while a batch of it may have been on its way. */
  readonly lost: Set<number>
  /** Work on partitions that are being taken away. */
  finishing: Promise<unknown>
}

type Verdict = 'done' | 'retry' | 'release' | 'dead'

/**
 * One consumer group on the embedded bus, driven through random sends, reads, failures, rebalances and crashes by a seed,
 * on a simulated clock and disk. What happened is told as a history, for the checker alone to judge.
 */
export class GroupRun {
  readonly #random: Random
  readonly #disk = new SimulatedDisk()
  readonly #steps: Step[] = []
  readonly #sent: Message[] = []
  #clock = new SimulatedClock()
  #bus!: Bus
  #workers: Worker[] = []
  /** Dropped by workers that are still there: they may try to settle them late. */
  #late: Array<{ readonly worker: Worker; readonly batch: Batch }> = []
  #nextReader = 1
  #nextId = 1

  constructor(seed: number) {
    this.#random = seededRandom(seed)
  }

  async run(turns: number): Promise<GroupHistory> {
    await this.#open()
    this.#join()
    for (let turn = 0; turn < turns; turn += 1) await this.#turn()
    await this.#letExpire()
    await this.#finishAll()
    const deadLetters = await this.#deadLetters()
    await this.#wait(this.#bus.close())
    return { attemptsMax: ATTEMPTS_MAX, steps: this.#steps, deadLetters }
  }

  async #turn(): Promise<void> {
    const chance = this.#random.float() * 100
    if (chance < 20) await this.#send()
    else if (chance < 56) await this.#read()
    else if (chance < 70) await this.#finishSome()
    else if (chance < 79) await this.#pass(this.#random.float() * 4_000)
    else if (chance < 86) this.#join()
    else if (chance < 92) await this.#leave()
    else if (chance < 98) await this.#settleLate()
    else await this.#crash()
  }

  async #open(): Promise<void> {
    const parts = { disk: this.#disk, clock: this.#clock, random: this.#random, directory: 'bus' }
    this.#bus = await this.#wait(openEmbeddedBus(parts))
    await this.#wait(
      this.#bus.open({
        name: TOPIC,
        intent: 'event',
        partitions: PARTITIONS,
        durability: 'durable',
        deduplicationWindowMs: TTL_MS * 24,
      }),
    )
  }

  /** Lets simulated time pass until the promise is settled. */
  async #wait<Result>(promise: Promise<Result>): Promise<Result> {
    let isSettled = false
    const settle = () => {
      isSettled = true
    }
    promise.then(settle, settle)
    await this.#clock.advanceUntil(() => isSettled, { stepMs: STEP_MS, limitMs: WAIT_LIMIT_MS })
    return promise
  }

  /** Time passes slowly enough for work under way to keep up with it. */
  async #pass(durationMs: number): Promise<void> {
    for (let leftMs = durationMs; leftMs > 0; leftMs -= STEP_MS) await this.#clock.advance(Math.min(STEP_MS, leftMs))
  }

  #pick(count: number): number {
    return Math.floor(this.#random.float() * count)
  }

  async #send(options: { readonly expiring?: boolean } = {}): Promise<void> {
    const fresh = Array.from({ length: 1 + this.#pick(8) }, () => this.#message(options.expiring ?? false))
    // Now and then a producer that does not know better sends an earlier one again.
    const again = this.#sent[this.#pick(this.#sent.length * 4)]
    const batch = again === undefined ? fresh : [...fresh, again]
    const writer = this.#bus.writer(TOPIC)
    await this.#wait(writer.write(batch))
    await this.#wait(writer.close())
    for (const { id, key, ttlMs } of batch) {
      this.#steps.push({ kind: 'sent', id: id!, key: key!, expires: ttlMs !== undefined })
    }
    this.#sent.push(...fresh)
  }

  #message(expires: boolean): Message {
    const id = String(this.#nextId)
    this.#nextId += 1
    const key = `key-${this.#pick(KEYS)}`
    const message = { subject: `${TOPIC}.${key}`, key, id, value: contentOf(id), headers: { mark: `mark-${id}` } }
    return expires ? { ...message, ttlMs: TTL_MS } : message
  }

  #join(): void {
    if (this.#workers.length >= READERS_MAX) return
    const reader = this.#bus.reader(TOPIC, {
      mode: 'group',
      group: GROUP,
      revocationWaitMs: REVOCATION_WAIT_MS,
      retry: { attemptsMax: ATTEMPTS_MAX, delayMs: 50, delayMsMax: 2_000, parkedMax: PARKED_MAX },
    })
    const worker: Worker = {
      number: this.#nextReader,
      reader,
      held: new Map(),
      lost: new Set(),
      finishing: Promise.resolve(),
    }
    this.#nextReader += 1
    reader.onAssignment(async ({ added, removed }) => {
      for (const partition of added) worker.lost.delete(partition)
      for (const partition of removed) worker.lost.add(partition)
      worker.finishing = Promise.all(removed.map((partition) => this.#letGo(worker, partition)))
      await worker.finishing
    })
    this.#workers.push(worker)
  }

  /** A partition is taken away: a good worker finishes what it holds of it, another just drops it. */
  async #letGo(worker: Worker, partition: number): Promise<void> {
    if (this.#random.float() < 0.5) await this.#finish(worker, partition)
    else this.#drop(worker, partition)
  }

  #drop(worker: Worker, partition: number): void {
    const batches = worker.held.get(partition) ?? []
    worker.held.delete(partition)
    for (const batch of batches) {
      this.#steps.push({ kind: 'abandoned', ids: idsOf(batch) })
      this.#late.push({ worker, batch })
    }
  }

  /** Who lost a partition and did not notice: nothing it says of it may count. */
  async #settleLate(): Promise<void> {
    const late = this.#late
    this.#late = []
    await this.#pass(REVOCATION_WAIT_MS + 1_000)
    for (const { worker, batch } of late) {
      const settling = worker.reader.acknowledge(batch.last, batch.generation)
      const isBelieved = await this.#wait(
        settling.then(
          () => true,
          () => false,
        ),
      )
      if (isBelieved) this.#steps.push({ kind: 'settled-late', ids: idsOf(batch) })
    }
  }

  async #leave(): Promise<void> {
    if (this.#workers.length < 2) return
    const [worker] = this.#workers.splice(this.#pick(this.#workers.length), 1)
    for (const partition of [...worker!.held.keys()]) this.#drop(worker!, partition)
    await this.#wait(worker!.finishing)
    await this.#wait(worker!.reader.close())
  }

  /** The process dies, and what it wrote stays with the system; or the machine does, and only what was synced stays. */
  async #crash(): Promise<void> {
    const isPowerLoss = this.#random.float() < 0.4
    this.#steps.push({ kind: isPowerLoss ? 'power-loss' : 'crash' })
    if (isPowerLoss) this.#disk.losePower()
    else this.#disk.kill()
    this.#disk.restart()
    // The dead process's timers never fire again; its readers are simply forgotten.
    this.#clock = new SimulatedClock({ startMs: this.#clock.nowMs() })
    this.#workers = []
    this.#late = []
    await this.#open()
    this.#join()
  }

  async #read(): Promise<void> {
    const worker = this.#workers[this.#pick(this.#workers.length)]!
    const batch = await this.#wait(worker.reader.read({ maxMessages: 1 + this.#pick(10), waitMs: 1 }))
    if (batch === null) return
    worker.held.set(batch.partition, [...(worker.held.get(batch.partition) ?? []), batch])
    for (const delivery of batch.deliveries) this.#steps.push(givenStep(delivery, worker.number))
    if (worker.lost.has(batch.partition)) this.#drop(worker, batch.partition)
    else if (this.#random.float() < 0.4) await this.#wait(this.#finish(worker, batch.partition))
  }

  async #finishSome(): Promise<void> {
    const worker = this.#workers[this.#pick(this.#workers.length)]!
    for (const partition of [...worker.held.keys()]) await this.#wait(this.#finish(worker, partition))
  }

  /** Works through what is held of a partition, in order. After one that is not done, its key is given back untried. */
  async #finish(worker: Worker, partition: number, verdictOf = () => this.#verdict()): Promise<void> {
    const batches = worker.held.get(partition) ?? []
    worker.held.delete(partition)
    const heldBack = new Set<string>()
    for (const batch of batches) {
      try {
        await this.#settle(worker, batch, decide(batch, heldBack, verdictOf))
      } catch (error) {
        // The partition was taken away meanwhile: what is not settled comes again elsewhere.
        if ((error as { code?: string }).code !== 'revoked') throw error
        this.#steps.push({ kind: 'abandoned', ids: idsOf(batch) })
      }
    }
  }

  async #settle(worker: Worker, batch: Batch, byVerdict: Record<Verdict, Delivery[]>): Promise<void> {
    for (const how of ['dead', 'retry', 'release'] as const) {
      if (byVerdict[how].length === 0) continue
      await worker.reader.settle(byVerdict[how], how, { error: 'as the seed said' })
      for (const delivery of byVerdict[how]) this.#steps.push({ kind: how, id: delivery.id! })
    }
    await worker.reader.acknowledge(batch.last, batch.generation)
    for (const delivery of byVerdict.done) this.#steps.push({ kind: 'done', id: delivery.id! })
    this.#steps.push({ kind: 'acknowledged', ids: idsOf(batch) })
  }

  #verdict(): Verdict {
    const chance = this.#random.float() * 100
    if (chance < 80) return 'done'
    if (chance < 91) return 'retry'
    return chance < 97 ? 'release' : 'dead'
  }

  /** Some that are sent when nobody reads, until their time is over. */
  async #letExpire(): Promise<void> {
    await this.#drainQueue()
    await this.#send({ expiring: true })
    await this.#clock.advance(TTL_MS + 1_000)
    this.#steps.push({ kind: 'expired' })
  }

  async #finishAll(): Promise<void> {
    while (this.#workers.length > 1) await this.#leave()
    await this.#drainQueue()
  }

  /** Works through everything that is still to come, successfully. */
  async #drainQueue(): Promise<void> {
    for (let quiet = 0; quiet < QUIET_TURNS; ) {
      let gave = false
      for (const worker of this.#workers) {
        for (const partition of [...worker.held.keys()]) await this.#wait(this.#finish(worker, partition, () => 'done'))
        const batch = await this.#wait(worker.reader.read({ waitMs: 100 }))
        if (batch === null) continue
        gave = true
        worker.held.set(batch.partition, [batch])
        for (const delivery of batch.deliveries) this.#steps.push(givenStep(delivery, worker.number))
      }
      quiet = gave ? 0 : quiet + 1
    }
  }

  async #deadLetters(): Promise<string[]> {
    const topic = `skein.dead.${TOPIC}`
    const topics = await this.#wait(this.#bus.admin.listTopics())
    if (!topics.includes(topic)) return []
    const reader = this.#bus.reader(topic, { mode: 'broadcast', from: 'earliest' })
    const found: string[] = []
    for (let batch = await this.#wait(reader.read({ waitMs: 100 })); batch !== null; ) {
      for (const delivery of batch.deliveries) found.push(delivery.text().split(' ')[1]!)
      batch = await this.#wait(reader.read({ waitMs: 100 }))
    }
    await this.#wait(reader.close())
    return found
  }
}

function decide(batch: Batch, heldBack: Set<string>, verdictOf: () => Verdict): Record<Verdict, Delivery[]> {
  const byVerdict: Record<Verdict, Delivery[]> = { done: [], retry: [], release: [], dead: [] }
  for (const delivery of batch.deliveries) {
    const verdict = heldBack.has(delivery.key!) ? 'release' : verdictOf()
    if (verdict === 'retry' || verdict === 'release') heldBack.add(delivery.key!)
    byVerdict[verdict].push(delivery)
  }
  return byVerdict
}

function idsOf(batch: Batch): string[] {
  return batch.deliveries.map((delivery) => delivery.id!)
}

function contentOf(id: string): string {
  return `message ${id} ${'.'.repeat(Number(id) % 50)}`
}

function givenStep(delivery: Delivery, reader: number): Step {
  const { id = '', key = '', position, attempt } = delivery
  const intact = delivery.text() === contentOf(id) && delivery.headers.mark === `mark-${id}`
  return { kind: 'given', id, key, partition: position.partition, sequence: position.sequence, attempt, reader, intact }
}
