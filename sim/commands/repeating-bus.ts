import type { Bus, Message, Writer } from '../../src/bus/index.ts'
import type { Clock, Random } from '../../src/core/index.ts'

/** A bus that delivers each message of one topic several times, some repeats at once and some later. */
export function repeatingBus(
  bus: Bus,
  options: {
    readonly topic: string
    readonly copies: number
    readonly laterMsMax: number
    readonly clock: Clock
    readonly random: Random
  },
): Bus {
  const { copies, laterMsMax, clock, random } = options
  const repeating = (writer: Writer): Writer => ({
    async write(batch) {
      const receipt = await writer.write(batch)
      for (let copy = 1; copy < copies; copy += 1) {
        const delayMs = random.float() < 0.5 ? 0 : random.float() * laterMsMax
        clock.setTimer(() => void writer.write(batch.map(lingering)), delayMs)
      }
      return receipt
    },
    get full() {
      return writer.full
    },
    drained: (drainedOptions) => writer.drained(drainedOptions),
    drain: () => writer.drain(),
    close: async () => {},
  })
  return {
    name: bus.name,
    open: (topic) => bus.open(topic),
    writer: (topic, writerOptions) => {
      const writer = bus.writer(topic, writerOptions)
      return topic === options.topic ? repeating(writer) : writer
    },
    reader: (topic, readerOptions) => bus.reader(topic, readerOptions),
    requests: bus.requests,
    admin: bus.admin,
    drain: () => bus.drain(),
    close: () => bus.close(),
  }
}

/** Repeats outlive their deadline, so that the receiver, not the bus, must tell that they are late. */
function lingering(message: Message): Message {
  return { ...message, ttlMs: (message.ttlMs ?? 0) * 10 }
}
