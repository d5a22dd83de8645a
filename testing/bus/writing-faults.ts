import type { Bus, Message, TopicSpec, Writer } from '../../src/bus/index.ts'
import { delegate } from './delegate.ts'
import type { FaultyBus } from './faulty-bus.ts'

/** Every writer of the bus, changed. */
function withWriters(change: (writer: Writer) => Partial<Writer>): (bus: Bus) => Bus {
  return (bus) =>
    delegate(bus, {
      writer(topic, options) {
        const writer = bus.writer(topic, options)
        return delegate(writer, change(writer))
      },
    })
}

/** Every message written, changed, taken out, or put elsewhere. */
function withBatches(change: (batch: readonly Message[]) => readonly Message[]): (bus: Bus) => Bus {
  return withWriters((writer) => ({ write: (batch) => writer.write(change(batch)) }))
}

function withMessages(change: (message: Message) => Message): (bus: Bus) => Bus {
  return withBatches((batch) => batch.map(change))
}

function withSpecs(change: (spec: TopicSpec) => TopicSpec): (bus: Bus) => Bus {
  return (bus) => delegate(bus, { open: (spec) => bus.open(change(spec)) })
}

export const writingFaults: readonly FaultyBus[] = [
  {
    name: 'loses every seventh message and reports it as stored',
    wrap(bus) {
      let turn = 0
      return withWriters((writer) => ({
        async write(batch) {
          const kept = batch.filter(() => ++turn % 7 !== 0)
          const receipt = await writer.write(kept)
          return { ...receipt, accepted: receipt.accepted + batch.length - kept.length }
        },
      }))(bus)
    },
  },
  { name: 'stores a batch in reverse order', wrap: withBatches((batch) => batch.toReversed()) },
  {
    name: 'stores batches in another order than their calls',
    wrap: withWriters((writer) => {
      let turn = 0
      return {
        async write(batch) {
          turn += 1
          if (turn % 5 === 2) await new Promise((resolve) => setTimeout(resolve, 5))
          return writer.write(batch)
        },
      }
    }),
  },
  { name: 'stores every message twice', wrap: withBatches((batch) => batch.flatMap((message) => [message, message])) },
  { name: 'loses headers', wrap: withMessages(({ headers: _, ...message }) => message) },
  { name: 'loses keys', wrap: withMessages(({ key: _, ...message }) => message) },
  { name: 'loses the time of an event', wrap: withMessages(({ timestampMs: _, ...message }) => message) },
  {
    name: 'makes empty values of tombstones',
    wrap: withMessages((message) => (message.value === null ? { ...message, value: '' } : message)),
  },
  {
    name: 'cuts values at 64 KiB',
    wrap: withMessages((message) => {
      const { value } = message
      return value !== null && value.length > 65_536 ? { ...message, value: value.slice(0, 65_536) } : message
    }),
  },
  { name: 'ignores ids', wrap: withMessages(({ id: _, ...message }) => message) },
  {
    name: 'forgets ids with a restart',
    wrap(bus) {
      const life = lives++
      return withMessages((message) =>
        message.id === undefined ? message : { ...message, id: `${life}-${message.id}` },
      )(bus)
    },
  },
  { name: "ignores a message's TTL", wrap: withMessages(({ ttlMs: _, ...message }) => message) },
  { name: "ignores a topic's TTL", wrap: withSpecs(({ ttlMs: _, ...spec }) => spec) },
  { name: 'never compacts', wrap: withSpecs(({ compaction: _, ...spec }) => spec) },
  { name: 'keeps everything for ever', wrap: withSpecs(({ retention: _, ...spec }) => spec) },
  {
    name: 'claims a durability that it does not have',
    wrap: withSpecs((spec) => ({ ...spec, ...(spec.durability && { durability: 'none' as const }) })),
  },
  { name: 'opens with other settings than asked', wrap: withSpecs(({ partitions: _, ...spec }) => spec) },
  {
    name: 'never says that it is full',
    wrap: (bus) =>
      delegate(bus, {
        writer: (topic, options) => bus.writer(topic, { ...options, pendingBytesMax: Number.MAX_SAFE_INTEGER }),
      }),
  },
]

let lives = 0
