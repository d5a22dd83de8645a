import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import Type from 'typebox'
import { channelsInMemory } from '../../test/channels-in-memory.ts'
import { until } from '../../test/until.ts'
import { SimulatedClock } from '../../testing/index.ts'
import type { Delivery } from '../bus/index.ts'
import { systemClock, systemRandom } from '../core/system/index.ts'
import { rawBytes } from '../schema/index.ts'
import { ChunkAssembler } from './payload/chunk-assembler.ts'
import { telemetry } from './telemetry.ts'

const small = { messageBytesMax: 16 * 1024 }
const Frames = telemetry('video.{agentId}', { schema: rawBytes(), key: 'agentId', largePayloads: 'chunk', ...small })
const drone = { id: 'drone-7', type: 'quadrotor', region: 'north', epoch: 1 }

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

test('a value beyond the limit is refused where the channel does not say what to do with it', async (t) => {
  const { channels } = await channelsInMemory(t)
  const Plain = telemetry('plain.{agentId}', { schema: rawBytes(), ...small })
  await assert.rejects(channels.as(drone).publish(Plain, systemRandom.bytes(17_000)), {
    code: 'message-too-large',
    message: /17000 bytes.*16384/,
  })
  const Text = telemetry('text.{agentId}', { schema: Type.String(), ...small })
  await assert.rejects(channels.as(drone).publish(Text, 'é'.repeat(9_000)), { code: 'message-too-large' })
  await channels.as(drone).publish(Text, 'é'.repeat(8_000))
})

test('chunked values arrive whole, in order with small ones, and are acknowledged', async (t) => {
  const before = await channelsInMemory(t)
  await before.channels.open([Frames])
  const [one, other] = [before.channels.as(drone), before.channels.as({ ...drone, id: 'drone-8' })]
  const sizes = [10, 100_000, 20, 1_500_000, 30, 12_289]
  const sent = sizes.map((size) => systemRandom.bytes(size))
  await Promise.all(sent.flatMap((bytes) => [one.publish(Frames, bytes), other.publish(Frames, bytes)]))
  const got = new Map<string, string[]>([
    ['drone-7', []],
    ['drone-8', []],
  ])
  const processing = await before.channels.process(Frames, { group: 'g' }, (message) => {
    got.get(message.key!)!.push(sha256(message.value))
  })
  await until(() => [...got.values()].every((hashes) => hashes.length === sizes.length))
  await processing.stop()
  for (const hashes of got.values()) assert.deepEqual(hashes, sent.map(sha256))
  const after = await before.reopen()
  await after.channels.as(drone).publish(Frames, new Uint8Array(3))
  const rest: number[] = []
  const again = await after.channels.process(Frames, { group: 'g' }, (message) => {
    rest.push(message.value.byteLength)
  })
  await until(() => rest.length > 0)
  await again.stop()
  assert.deepEqual(rest, [3])
})

test('a chunked value whose handler fails is retried whole, in its place, and dies whole', async (t) => {
  const { channels } = await channelsInMemory(t)
  await channels.open([Frames])
  const agent = channels.as(drone)
  await agent.publish(Frames, new Uint8Array(50_000))
  await agent.publish(Frames, new Uint8Array(60_000))
  await agent.publish(Frames, new Uint8Array(1))
  const seen: Array<readonly [bytes: number, attempt: number]> = []
  const retry = { delayMs: 1, delayMsMax: 2, attemptsMax: 3 }
  const processing = await channels.process(Frames, { group: 'g', retry }, (message) => {
    seen.push([message.value.byteLength, message.attempt])
    if (message.value.byteLength === 50_000 && message.attempt < 3) throw new Error('not yet')
    if (message.value.byteLength === 60_000) throw new Error('never')
  })
  await until(() => seen.length === 7)
  await processing.stop()
  assert.deepEqual(seen, [
    [50_000, 1],
    [50_000, 2],
    [50_000, 3],
    [60_000, 1],
    [60_000, 2],
    [60_000, 3],
    [1, 1],
  ])
  const letters = await channels.deadLetters(Frames)
  assert.equal(letters.length, 5, 'all of its chunks, so that a replay brings it back')
  await channels.replayDeadLetters(Frames)
  const replayed: number[] = []
  const second = await channels.process(Frames, { group: 'g' }, (message) => {
    replayed.push(message.value.byteLength)
  })
  await until(() => replayed.length === 1)
  await second.stop()
  assert.deepEqual(replayed, [60_000])
})

test('consume() gives large values whole, gives them again whole, and acknowledges them whole', async (t) => {
  const { channels } = await channelsInMemory(t)
  await channels.open([Frames])
  const agent = channels.as(drone)
  for (const bytes of [70_000, 3, 80_000]) await agent.publish(Frames, new Uint8Array(bytes))
  const seen: Array<readonly [bytes: number, attempt: number]> = []
  for await (const batch of await channels.consume(Frames, { group: 'g' })) {
    for (const message of batch) {
      seen.push([message.value.byteLength, message.attempt])
      if (message.value.byteLength === 70_000 && message.attempt === 1) batch.retry(message)
    }
    if (seen.some(([bytes]) => bytes === 80_000)) break
  }
  assert.deepEqual(seen.slice(0, 3), [
    [70_000, 1],
    [70_000, 2],
    [3, 1],
  ])
})

test('chunks that were tried twice come one by one, and are released until they come together', async (t) => {
  const clock = new SimulatedClock()
  const { channels } = await channelsInMemory(t, { clock })
  await channels.open([Frames])
  const agent = channels.as(drone)
  await clock.until(agent.publish(Frames, new Uint8Array(70_000)))
  await clock.until(agent.publish(Frames, new Uint8Array(3)))
  const leave = async () => {
    for await (const batch of await channels.consume(Frames, { group: 'g' })) return batch.size
    return 0
  }
  for (let crash = 0; crash < 2; crash += 1) assert.ok((await clock.until(leave())) > 0)
  const seen: Array<readonly [bytes: number, attempt: number]> = []
  const processing = await channels.process(Frames, { group: 'g' }, (message) => {
    seen.push([message.value.byteLength, message.attempt])
  })
  await clock.advanceUntil(() => seen.length === 2, { stepMs: 500, limitMs: 50_000 })
  assert.deepEqual(seen, [
    [70_000, 3],
    [3, 3],
  ])
  await clock.until(processing.stop())
  assert.deepEqual(await clock.until(channels.deadLetters(Frames)), [])
})

test('no acknowledgment passes an unfinished large value: a crash in its middle loses nothing', async (t) => {
  const before = await channelsInMemory(t)
  await before.channels.open([Frames])
  const agent = before.channels.as(drone)
  const bytes = systemRandom.bytes(40_000)
  await agent.publish(Frames, bytes)
  // Its last chunk has not been written when this reader comes: only the first ones are copied.
  const source = before.bus.reader('video', { mode: 'broadcast', from: 'earliest' })
  const { deliveries } = (await source.read())!
  const Copy = telemetry('copy.{agentId}', { schema: rawBytes(), key: 'agentId', largePayloads: 'chunk', ...small })
  await before.channels.open([Copy])
  const writer = before.bus.writer('copy')
  const copies = deliveries.map(({ key, value, headers }) => ({ subject: 'copy.drone-7', key, value, headers }))
  await writer.write([...copies.slice(0, -1), { subject: 'copy.drone-8', key: 'drone-8', value: new Uint8Array(5) }])
  const first: number[] = []
  const processing = await before.channels.process(Copy, { group: 'g' }, (message) => {
    first.push(message.value.byteLength)
  })
  await until(() => first.length === 1)
  await processing.stop()
  await writer.write(copies.slice(-1))
  const after = await before.reopen()
  await after.channels.open([Copy])
  const second: string[] = []
  const again = await after.channels.process(Copy, { group: 'g' }, (message) => {
    second.push(sha256(message.value))
  })
  await until(() => second.includes(sha256(bytes)))
  await again.stop()
})

test('a large value that is never finished is given up after a time, reported, and dead', async (t) => {
  const clock = new SimulatedClock()
  const { bus, channels, errors } = await channelsInMemory(t, { clock })
  await channels.open([Frames])
  await bus
    .writer('video')
    .write([
      { subject: 'video.drone-7', key: 'drone-7', value: new Uint8Array(9), headers: { skeinchunk: '0;2;18;lost' } },
    ])
  let handled = 0
  const processing = await channels.process(Frames, { group: 'g' }, () => {
    handled += 1
  })
  await clock.advance(61_000)
  await channels.as(drone).publish(Frames, new Uint8Array(1))
  await clock.advanceUntil(() => errors.length === 1 && handled === 1)
  assert.match((errors[0] as Error).message, /"lost" together: 1 of 2 chunks came/)
  const stopped = processing.stop()
  await clock.advance(1_000)
  await stopped
})

test('a claim-checked value goes to the object store, and comes back only with its size and SHA-256', async (t) => {
  const { bus, channels, objects, errors } = await channelsInMemory(t)
  const Scan = telemetry('lidar.{agentId}', {
    schema: rawBytes(),
    key: 'agentId',
    largePayloads: 'claim-check',
    ...small,
  })
  await channels.open([Scan])
  const agent = channels.as(drone)
  const bytes = systemRandom.bytes(200_000)
  await agent.publish(Scan, bytes)
  await agent.publish(Scan, systemRandom.bytes(30_000))
  await agent.publish(Scan, new Uint8Array(2))
  const { deliveries } = (await bus.reader('lidar', { mode: 'broadcast', from: 'earliest' }).read())!
  assert.equal(deliveries[0]!.value!.byteLength, 0)
  const [size, digest, name] = deliveries[0]!.headers.skeinclaim!.split(';')
  assert.deepEqual([size, digest], ['200000', sha256(bytes)])
  assert.equal((await objects.stat(name!))?.bytes, 200_000)
  await objects.put(deliveries[1]!.headers.skeinclaim!.split(';')[2]!, new Uint8Array(30_000))
  const seen: number[] = []
  const processing = await channels.process(Scan, { group: 'g' }, (message) => {
    if (message.value.byteLength === 200_000) assert.deepEqual(message.value, bytes)
    seen.push(message.value.byteLength)
  })
  await until(() => seen.length === 2)
  await processing.stop()
  assert.deepEqual(seen, [200_000, 2])
  assert.match((errors[0] as Error).message, /SHA-256/)
  assert.equal((await channels.deadLetters(Scan)).length, 1)
})

test('a claim check without an object store is refused before anything is written', async (t) => {
  const { channels } = await channelsInMemory(t)
  const { Channels } = await import('./channels.ts')
  const { bus } = await channelsInMemory(t)
  const bare = new Channels({ bus, clock: systemClock, random: systemRandom, source: 'test', safe: 'none' })
  const Scan = telemetry('lidar.{agentId}', { schema: rawBytes(), largePayloads: 'claim-check', ...small })
  await assert.rejects(bare.as(drone).publish(Scan, new Uint8Array(20_000)), { code: 'unsupported' })
  await channels.close()
})

test('more than 64 MiB is refused', async (t) => {
  const { channels } = await channelsInMemory(t)
  const Big = telemetry('big.{agentId}', { schema: rawBytes(), largePayloads: 'chunk' })
  await assert.rejects(channels.as(drone).publish(Big, new Uint8Array(64 * 1024 * 1024 + 1)), {
    code: 'message-too-large',
    message: /67108864/,
  })
})

test('ChunkAssembler gives up the oldest sets when too many bytes are held', () => {
  const assembler = new ChunkAssembler(new SimulatedClock())
  const value = new Uint8Array(1024 * 1024)
  for (let index = 0; index < 200; index += 1) {
    const delivery = { position: { partition: 0, sequence: index }, value } as Delivery
    assembler.add(delivery, { set: `set-${index}`, index: 0, count: 2, bytes: 2 * value.byteLength })
  }
  const dropped = assembler.takeDropped(0)
  assert.equal(dropped.length, 200 - 128)
  assert.equal(assembler.leastIncomplete(0), 72)
  assert.deepEqual(assembler.takeDropped(0), [])
  assembler.forget(0)
  assert.equal(assembler.isEmpty, true)
})

test('ChunkAssembler counts a chunk that comes twice once', () => {
  const assembler = new ChunkAssembler(new SimulatedClock())
  const add = (index: number) => {
    const delivery = {
      position: { partition: 0, sequence: index },
      value: new Uint8Array([index]),
    } as unknown as Delivery
    return assembler.add(delivery, { set: 'set', index, count: 2, bytes: 2 })
  }
  assert.equal(add(0), undefined)
  assert.equal(add(0), undefined)
  assert.deepEqual([...assembler.join(add(1)!)], [0, 1])
})

test('ChunkAssembler refuses a set whose chunks are other bytes than were sent', () => {
  const assembler = new ChunkAssembler(new SimulatedClock())
  const add = (index: number, value: readonly number[]) => {
    const delivery = {
      position: { partition: 0, sequence: index },
      value: new Uint8Array(value),
    } as unknown as Delivery
    return assembler.add(delivery, { set: 'set', index, count: 2, bytes: 2 })
  }
  add(0, [0])
  const set = add(1, [1, 2])!
  assert.throws(() => assembler.join(set), { code: 'corrupt', message: /3 bytes/ })
})
