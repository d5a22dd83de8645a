import assert from 'node:assert/strict'
import type { Batch, Bus, Delivery, Message, Reader, ReaderOptions, TopicSpec } from '../../src/bus/index.ts'
import { SkeinError } from '../../src/core/index.ts'
import { patience } from './patience.ts'
import type { BusWorld } from './world.ts'

export const TOPIC = 'suite.topic'

/** Opens the suite's topic, an event without deduplication unless the case says otherwise, at the best durability. */
export async function openTopic(world: BusWorld, spec: Partial<TopicSpec> = {}): Promise<void> {
  const { durability } = world
  await world.bus.open({ name: TOPIC, intent: 'event', durability, deduplicationWindowMs: 0, ...world.topic, ...spec })
}

/** `key:text` becomes a message of that key under `suite.topic.{key}`. */
export function messageOf(text: string): Message {
  const key = text.split(':')[0]!
  return { subject: `${TOPIC}.${key}`, key, value: text }
}

export async function write(bus: Bus, ...texts: readonly string[]): Promise<void> {
  await writeAll(bus, texts.map(messageOf))
}

export async function writeAll(bus: Bus, messages: readonly Message[]): Promise<void> {
  const writer = bus.writer(TOPIC)
  await writer.write(messages)
  await writer.close()
}

export function groupReader(bus: Bus, options: Partial<ReaderOptions & { readonly mode: 'group' }> = {}): Reader {
  return bus.reader(TOPIC, { mode: 'group', group: 'suite', retry: { delayMs: 1 }, ...options })
}

export function everything(bus: Bus, options: Partial<ReaderOptions & { readonly mode: 'broadcast' }> = {}): Reader {
  return bus.reader(TOPIC, { mode: 'broadcast', from: 'earliest', ...options })
}

/** A reader that stands at the end: it is given what is written from now on, on a bus that keeps nothing too. */
export async function liveReader(
  bus: Bus,
  options: Partial<ReaderOptions & { readonly mode: 'broadcast' }> = {},
): Promise<Reader> {
  const reader = bus.reader(TOPIC, { mode: 'broadcast', ...options })
  await assertQuiet(reader)
  return reader
}

/** What a live reader was given; where the bus keeps messages, they are read from what is kept and must be the same. */
export async function takeWritten(world: BusWorld, live: Reader, count: number): Promise<Delivery[]> {
  const taken = await takeAll(live, count)
  if (!(await canReplay(world))) return taken
  const kept = await takeAll(everything(world.bus), count)
  assert.deepEqual(byPlace(kept), byPlace(taken))
  return kept
}

/** Whether what was written before a reader came can be read. */
export async function canReplay(world: BusWorld): Promise<boolean> {
  const { capabilities } = await world.bus.admin.describeTopic(TOPIC)
  return capabilities.replayByPosition !== 'none'
}

/** Partitions may be read in any order. */
function byPlace(deliveries: readonly Delivery[]): unknown[] {
  const place = ({ position }: Delivery) => position.partition * 2 ** 40 + position.sequence
  return [...deliveries].sort((one, other) => place(one) - place(other)).map(contentOf)
}

function contentOf(delivery: Delivery): unknown {
  const { subject, key, headers, id, timestampMs, value } = delivery
  return { subject, key, headers: { ...headers }, id, timestampMs, value: value && [...value.subarray(0, 1_000)] }
}

export async function nextBatch(reader: Reader, maxMessages?: number): Promise<Batch> {
  const { comesWithinMs } = patience()
  const batch = await reader.read({ waitMs: comesWithinMs, ...(maxMessages && { maxMessages }) })
  assert.ok(batch !== null, `nothing was delivered within ${comesWithinMs} ms`)
  assert.ok(batch.deliveries.length > 0, 'a batch was empty')
  return batch
}

export function acknowledge(reader: Reader, batch: Batch): Promise<void> {
  return reader.acknowledge(batch.last, batch.generation)
}

/** Reads until `count` messages have come, acknowledging as it goes; more than that is a failure. */
export async function takeAll(reader: Reader, count: number): Promise<Delivery[]> {
  const taken: Delivery[] = []
  while (taken.length < count) {
    const batch = await nextBatch(reader)
    taken.push(...batch.deliveries)
    await acknowledge(reader, batch)
  }
  assert.equal(taken.length, count, 'more came than was expected')
  return taken
}

/** The same without acknowledging. */
export async function holdAll(reader: Reader, count: number): Promise<Delivery[]> {
  const held: Delivery[] = []
  while (held.length < count) held.push(...(await nextBatch(reader, count - held.length)).deliveries)
  return held
}

export async function assertQuiet(reader: Reader): Promise<void> {
  const batch = await reader.read({ waitMs: patience().quietMs })
  const given = texts(batch?.deliveries ?? []).map((text) => text.slice(0, 40))
  assert.ok(batch === null, `delivered although nothing was due: ${given}`)
}

export function texts(deliveries: readonly Delivery[]): string[] {
  return deliveries.map((delivery) => delivery.text())
}

export async function rejectsWith(code: string, promise: Promise<unknown>): Promise<SkeinError> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => error,
  )
  assert.ok(outcome !== undefined, `resolved, though it must reject with ${code}`)
  assert.ok(outcome instanceof SkeinError, `rejected with ${outcome}, which is no SkeinError`)
  assert.equal(outcome.code, code, outcome.message)
  return outcome
}

/** Polls until the check gives true. */
export async function until(what: string, check: () => Promise<boolean> | boolean): Promise<void> {
  const { comesWithinMs } = patience()
  const deadline = performance.now() + comesWithinMs
  while (!(await check())) {
    assert.ok(performance.now() < deadline, `${what}: not within ${comesWithinMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
