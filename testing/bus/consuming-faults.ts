import type { Bus, Delivery, Reader, ReaderOptions, ReadLimits } from '../../src/bus/index.ts'
import { delegate } from './delegate.ts'
import type { FaultyBus } from './faulty-bus.ts'

/** Every reader of the bus, changed. */
function withReaders(change: (reader: Reader, topic: string, bus: Bus) => Partial<Reader>): (bus: Bus) => Bus {
  return (bus) =>
    delegate(bus, {
      reader(topic, options) {
        const reader = bus.reader(topic, options)
        return delegate(reader, change(reader, topic, bus))
      },
    })
}

function withOptions(change: (options: ReaderOptions) => ReaderOptions): (bus: Bus) => Bus {
  return (bus) => delegate(bus, { reader: (topic, options) => bus.reader(topic, change(options)) })
}

function withDeliveries(change: (delivery: Delivery) => Partial<Delivery>): (bus: Bus) => Bus {
  const given = new WeakMap<Delivery, Delivery>()
  return withReaders((reader) => ({
    async read(limits) {
      const batch = await reader.read(limits)
      if (batch === null) return null
      const deliveries = batch.deliveries.map((delivery) => {
        const changed = delegate(delivery, change(delivery))
        given.set(changed, delivery)
        return changed
      })
      return { ...batch, deliveries }
    },
    settle: (deliveries, how, options) =>
      reader.settle(
        deliveries.map((one) => given.get(one) ?? one),
        how,
        options,
      ),
  }))
}

let lives = 0

export const consumingFaults: readonly FaultyBus[] = [
  {
    name: 'acknowledges what it gives at once',
    wrap: withReaders((reader) => ({
      async read(limits) {
        const batch = await reader.read(limits)
        if (batch !== null) await reader.acknowledge(batch.last, batch.generation)
        return batch
      },
    })),
  },
  { name: 'never stores an acknowledgment', wrap: withReaders(() => ({ acknowledge: async () => {} })) },
  {
    name: 'forgets the place of a group with a restart',
    wrap(bus) {
      const life = lives++
      return withOptions((options) =>
        options.mode === 'group' ? { ...options, group: `${options.group}-${life}` } : options,
      )(bus)
    },
  },
  {
    name: 'gives every batch twice',
    wrap: withReaders((reader) => {
      let again: Awaited<ReturnType<Reader['read']>> = null
      return {
        async read(limits) {
          const batch = again ?? (await reader.read(limits))
          again = again === null ? batch : null
          return batch
        },
      }
    }),
  },
  {
    name: 'gives messages of a batch in reverse order',
    wrap: withReaders((reader) => ({
      async read(limits) {
        const batch = await reader.read(limits)
        return batch && { ...batch, deliveries: batch.deliveries.toReversed() }
      },
    })),
  },
  { name: 'does not count attempts', wrap: withDeliveries(() => ({ attempt: 1 })) },
  { name: 'counts one attempt too many', wrap: withDeliveries(({ attempt }) => ({ attempt: attempt + 1 })) },
  {
    name: 'counts a release as a failure',
    wrap: withReaders((reader) => ({
      settle: (deliveries, how, options) =>
        how === 'release'
          ? reader.settle(deliveries, 'retry', { delayMs: 0, ...options })
          : reader.settle(deliveries, how, options),
    })),
  },
  {
    name: 'ignores the delay of a retry',
    wrap: withReaders((reader) => ({
      settle: (deliveries, how, options) => reader.settle(deliveries, how, { ...options, delayMs: 0 }),
    })),
  },
  {
    name: 'retries by writing the message again at the end',
    wrap: withReaders((reader, topic, bus) => ({
      async settle(deliveries, how, options) {
        if (how !== 'retry') return reader.settle(deliveries, how, options)
        await bus
          .writer(topic)
          .write(deliveries.map(({ subject, key, value, headers }) => ({ subject, key, value, headers })))
        await reader.acknowledge(deliveries.at(-1)!.position)
      },
    })),
  },
  {
    name: 'commits past a parked message',
    wrap: withReaders((reader) => ({
      async acknowledge(through, generation) {
        await reader.acknowledge(through, generation)
        await reader.seek({ partition: through.partition, sequence: through.sequence + 1 })
      },
    })),
  },
  {
    name: 'never dead-letters',
    wrap: withOptions((options) =>
      options.mode === 'group' ? { ...options, retry: { ...options.retry, attemptsMax: 1_000_000 } } : options,
    ),
  },
  {
    name: 'drops dead messages without a letter',
    wrap: withReaders((reader) => ({
      settle: (deliveries, how, options) =>
        how === 'dead' ? reader.acknowledge(deliveries.at(-1)!.position) : reader.settle(deliveries, how, options),
    })),
  },
  {
    name: 'goes on past a dead message that should block',
    wrap: withOptions((options) =>
      options.mode === 'group' ? { ...options, retry: { ...options.retry, onDead: 'continue' } } : options,
    ),
  },
  { name: 'ignores filters', wrap: withOptions(({ subjects: _, ...options }) => options) },
  { name: 'ignores where to start', wrap: withOptions(({ from: _, ...options }) => options) },
  { name: 'ignores a seek', wrap: withReaders(() => ({ seek: async () => {} })) },
  {
    name: 'accepts an acknowledgment of a partition that was taken away',
    wrap: withReaders((reader) => ({
      acknowledge: (through, generation) => reader.acknowledge(through, generation).catch(() => {}),
      settle: (deliveries, how, options) => reader.settle(deliveries, how, options).catch(() => {}),
    })),
  },
  {
    name: 'takes partitions away without waiting for work in hand',
    wrap: withOptions((options) => (options.mode === 'group' ? { ...options, revocationWaitMs: 0 } : options)),
  },
  {
    name: 'has no lag, ever',
    wrap: withReaders((reader) => ({
      lag: async () => (await reader.lag()).map((lag) => ({ ...lag, messages: 0, seconds: 0 })),
    })),
  },
  {
    name: 'goes on waiting when it is cancelled',
    wrap: withReaders((reader) => ({ read: ({ signal: _, ...limits }: ReadLimits = {}) => reader.read(limits) })),
  },
  {
    name: 'goes on waiting when it is closed',
    wrap: withReaders((reader) => ({ close: async () => {}, drain: () => reader.drain() })),
  },
  {
    name: 'ignores maxMessages',
    wrap: withReaders((reader) => ({ read: ({ maxMessages: _, ...limits }: ReadLimits = {}) => reader.read(limits) })),
  },
  {
    name: 'drops for a slow reader that asked to be waited for',
    wrap: withOptions((options) => (options.mode === 'broadcast' ? { ...options, overflow: 'drop' } : options)),
  },
  {
    name: 'buffers without a bound for a slow reader',
    wrap: withOptions((options) => ({ ...options, bufferBytesMax: 1e12 })),
  },
]
