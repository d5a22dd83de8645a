import assert from 'node:assert/strict'
import { type Bus, WriteError, type Writer } from '../../src/bus/index.ts'
import { SkeinError } from '../../src/core/index.ts'
import {
  acknowledge,
  assertQuiet,
  everything,
  groupReader,
  messageOf,
  nextBatch,
  openTopic,
  TOPIC,
  takeAll,
  texts,
  write,
} from './suite-topic.ts'
import type { BusCase, BusWorld } from './world.ts'

const SLOW_LINK = { latencyMs: 20, bytesPerSecond: 500_000 }

/** What a bus in this process passes at once, having neither a network nor a broker that could die. */
export const networkCases: readonly BusCase[] = [
  {
    name: 'a stream goes on while the broker is killed and started again: what was acknowledged is there, in order',
    needs: ['order', 'replayByPosition'],
    async run(world) {
      await openTopic(world)
      const stop = new AbortController()
      const acknowledged: string[] = []
      const writing = writeOn(world.bus, acknowledged, stop.signal)
      await bounce(world)
      await waitFor(() => acknowledged.length > 100)
      stop.abort()
      await writing
      const reader = everything(world.bus)
      const read: string[] = []
      while (!read.includes(acknowledged.at(-1)!)) read.push(...texts((await nextBatch(reader)).deliveries))
      const firsts = [...new Set(read)]
      assert.deepEqual(
        firsts.map(numberOf),
        firsts.map(numberOf).sort((one, other) => one - other),
      )
      const lost = acknowledged.filter((text) => !firsts.includes(text))
      assert.deepEqual(lost, [])
    },
  },
  {
    name: 'a group goes on behind what it acknowledged while the broker is killed and started again',
    needs: ['groups'],
    async run(world) {
      await openTopic(world)
      await write(world.bus, 'a:1', 'a:2', 'a:3', 'a:4')
      const reader = groupReader(world.bus)
      const first = await nextBatch(reader, 2)
      await acknowledge(reader, first)
      await bounce(world)
      // What was given under the broken connection may come again; what was acknowledged may not.
      const rest = new Set<string>()
      while (rest.size < 4 - first.deliveries.length) {
        const batch = await nextBatch(reader)
        for (const text of texts(batch.deliveries)) rest.add(text)
        await acknowledge(reader, batch).catch(onlyRevoked)
      }
      assert.deepEqual([...texts(first.deliveries), ...rest], ['a:1', 'a:2', 'a:3', 'a:4'])
    },
  },
  {
    name: 'a connection that falls silent is noticed, and the stream goes on without loss, repeats or reordering',
    needs: ['order', 'replayByPosition'],
    async run(world) {
      await openTopic(world)
      const reader = everything(world.bus)
      const writer = world.bus.writer(TOPIC)
      const expected = Array.from({ length: 60 }, (_, index) => `a:${index}`)
      for (const [index, text] of expected.entries()) {
        if (index === 30) await world.disrupt('silence')
        await writer.write([messageOf(text)])
      }
      assert.deepEqual(texts(await takeAll(reader, expected.length)), expected)
      await assertQuiet(reader)
    },
  },
  {
    name: 'a slow link delays what is written and read, and changes nothing',
    needs: ['replayByPosition'],
    async run(world) {
      await openTopic(world)
      const reader = everything(world.bus)
      const values = Array.from({ length: 20 }, (_, index) => `${index} ${'x'.repeat(index * 1_000)}`)
      world.slow?.(SLOW_LINK)
      const writer = world.bus.writer(TOPIC)
      await Promise.all(values.map((value) => writer.write([{ subject: TOPIC, key: 'k', value }])))
      assert.deepEqual(texts(await takeAll(reader, values.length)), values)
      world.slow?.({})
    },
  },
]

function onlyRevoked(error: unknown): void {
  if (!(error instanceof SkeinError) || error.code !== 'revoked') throw error
}

function bounce(world: BusWorld): Promise<void> {
  return world.bounce === undefined ? world.disrupt() : world.bounce()
}

function numberOf(text: string): number {
  return Number(text.slice(2))
}

/** Writes one message after another until it is told to stop; what failed is written again. */
async function writeOn(bus: Bus, acknowledged: string[], signal: AbortSignal): Promise<void> {
  const writer = bus.writer(TOPIC)
  for (let number = 0; !signal.aborted; number += 1) {
    const text = `a:${number}`
    while (!(await isStored(writer, text))) await pause()
    acknowledged.push(text)
    await pause()
  }
  await writer.close()
}

async function isStored(writer: Writer, text: string): Promise<boolean> {
  try {
    await writer.write([messageOf(text)])
    return true
  } catch (error) {
    if (error instanceof WriteError) return false
    throw error
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1))
}

async function waitFor(check: () => boolean): Promise<void> {
  while (!check()) await pause()
}
