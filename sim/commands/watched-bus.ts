import type { Bus, Delivery, Reader, ReaderOptions } from '../../src/bus/index.ts'

/** A bus that tells what its readers are given. */
export function watchedBus(bus: Bus, onGiven: (delivery: Delivery) => void): Bus {
  const watched = (reader: Reader): Reader => ({
    async read(limits) {
      const batch = await reader.read(limits)
      for (const delivery of batch?.deliveries ?? []) onGiven(delivery)
      return batch
    },
    acknowledge: (through, generation) => reader.acknowledge(through, generation),
    settle: (deliveries, how, options) => reader.settle(deliveries, how, options),
    onAssignment: (listener) => reader.onAssignment(listener),
    seek: (to) => reader.seek(to),
    end: () => reader.end(),
    lag: () => reader.lag(),
    get dropped() {
      return reader.dropped
    },
    drain: () => reader.drain(),
    close: () => reader.close(),
  })
  return {
    name: bus.name,
    open: (topic) => bus.open(topic),
    writer: (topic, options) => bus.writer(topic, options),
    reader: (topic: string, options: ReaderOptions) => watched(bus.reader(topic, options)),
    requests: bus.requests,
    admin: bus.admin,
    drain: () => bus.drain(),
    close: () => bus.close(),
  }
}
