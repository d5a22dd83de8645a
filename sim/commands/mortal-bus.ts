import type { Batch, Bus, Reader, ReaderOptions, ReadLimits, Writer, WriterOptions } from '../../src/bus/index.ts'

/**
 * A process's way to the bus, which can be cut as by SIGKILL: from then on nothing it asked for comes back, and nothing
 * it does arrives, while the bus goes on for everybody else.
 */
export class MortalBus implements Bus {
  readonly name = 'mortal'
  readonly #bus: Bus
  readonly #readers = new Set<Reader>()
  readonly #stops = new Set<() => Promise<void>>()
  readonly #died = Promise.withResolvers<void>()
  readonly #awake: () => Promise<void>
  #isDead = false

  /** `awake`: what comes back for a process on a machine that sleeps waits until it wakes up. */
  constructor(bus: Bus, awake: () => Promise<void> = async () => {}) {
    this.#bus = bus
    this.#awake = awake
  }

  get died(): Promise<void> {
    return this.#died.promise
  }

  get isDead(): boolean {
    return this.#isDead
  }

  /** The connection is gone: the bus takes back what this process was given. */
  async kill(): Promise<void> {
    this.#isDead = true
    this.#died.resolve()
    await Promise.all([...this.#readers].map((reader) => reader.close()))
    await Promise.all([...this.#stops].map((stop) => stop()))
  }

  open(topic: Parameters<Bus['open']>[0]) {
    return this.#alive(() => this.#bus.open(topic))
  }

  writer(topic: string, options?: WriterOptions): Writer {
    const writer = this.#bus.writer(topic, options)
    const alive = <T>(call: () => Promise<T>) => this.#alive(call)
    return {
      write: (batch) => alive(() => writer.write(batch)),
      get full() {
        return writer.full
      },
      drained: (drainedOptions) => alive(() => writer.drained(drainedOptions)),
      drain: () => alive(() => writer.drain()),
      close: () => alive(() => writer.close()),
    }
  }

  reader(topic: string, options: ReaderOptions): Reader {
    const reader = this.#bus.reader(topic, options)
    this.#readers.add(reader)
    const alive = <T>(call: () => Promise<T>) => this.#alive(call)
    return {
      read: (limits?: ReadLimits): Promise<Batch | null> => alive(() => reader.read(limits)),
      acknowledge: (through, generation) => alive(() => reader.acknowledge(through, generation)),
      settle: (deliveries, how, settleOptions) => alive(() => reader.settle(deliveries, how, settleOptions)),
      onAssignment: (listener) => reader.onAssignment(listener),
      seek: (to) => alive(() => reader.seek(to)),
      end: () => alive(() => reader.end()),
      lag: () => alive(() => reader.lag()),
      get dropped() {
        return reader.dropped
      },
      drain: () => alive(() => reader.drain()),
      close: () => {
        this.#readers.delete(reader)
        return alive(() => reader.close())
      },
    }
  }

  get requests(): Bus['requests'] {
    const { requests } = this.#bus
    return {
      ask: (request, options) => this.#alive(() => requests.ask(request, options)),
      answer: async (subject, handler) => {
        const stop = await this.#alive(() => requests.answer(subject, (request) => this.#alive(() => handler(request))))
        this.#stops.add(stop)
        return stop
      },
    }
  }

  get admin(): Bus['admin'] {
    return this.#bus.admin
  }

  async drain(): Promise<void> {}

  async close(): Promise<void> {}

  /** What a dead process waits for never comes, and what it begins is never begun. */
  async #alive<T>(call: () => Promise<T>): Promise<T> {
    if (this.#isDead) return new Promise(() => {})
    try {
      const result = await call()
      await this.#awake()
      return this.#isDead ? await new Promise<never>(() => {}) : result
    } catch (error) {
      if (this.#isDead) return new Promise(() => {})
      throw error
    }
  }
}
