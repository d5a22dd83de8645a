import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedDisk, seededRandom } from '../../../../testing/index.ts'
import { systemClock } from '../../../core/system/index.ts'
import type { Reader } from '../../index.ts'
import { openEmbeddedBus } from './index.ts'

const TOPIC = 'many.subjects'
const AGENTS = 20
const subjectOf = (agent: number) => `${TOPIC}.a${agent}`

async function openTopic(seed: number) {
  const random = seededRandom(seed)
  const bus = await openEmbeddedBus({ disk: new SimulatedDisk(), clock: systemClock, random, directory: 'data' })
  await bus.open({ name: TOPIC, intent: 'event', partitions: 1, durability: 'written', deduplicationWindowMs: 0 })
  return { bus, below: (count: number) => Math.floor(random.float() * count) }
}

/** Everything this reader is given until it waits in vain, taking few at a time. */
async function rest(
  reader: Reader,
  options: { readonly maxMessages: number; readonly acknowledges: boolean },
): Promise<string[]> {
  const given: string[] = []
  for (;;) {
    const batch = await reader.read({ waitMs: 50, maxMessages: options.maxMessages })
    if (batch === null) return given
    for (const delivery of batch.deliveries) given.push(delivery.text())
    if (options.acknowledges) await reader.acknowledge(batch.last, batch.generation)
  }
}

for (const mode of ['group', 'broadcast'] as const) {
  test(`readers of a subject each (${mode}) are given all of theirs, in order, whatever lies between and however late they ask`, async () => {
    const { bus, below } = await openTopic(7)
    const acknowledges = mode === 'group'
    const readers = Array.from({ length: AGENTS }, (_, agent) =>
      mode === 'group'
        ? bus.reader(TOPIC, { mode, group: `g${agent}`, subjects: [subjectOf(agent)], from: 'earliest' })
        : bus.reader(TOPIC, { mode, subjects: [subjectOf(agent)], from: 'earliest' }),
    )
    const given = readers.map(() => [] as string[])
    const written = readers.map(() => [] as string[])
    const writer = bus.writer(TOPIC)
    // All wait at the end, and are told from here on.
    for (const reader of readers) assert.equal(await reader.read({ waitMs: 1 }), null)
    for (let round = 0; round < 300; round += 1) {
      // The first has a message in each round, and asks for none before the end: it is told of more than it can remember.
      const others = Array.from({ length: 1 + below(3) }, () => 1 + below(AGENTS - 1))
      for (const agents of [[0], others]) {
        const messages = agents.map((agent, index) => {
          const value = `${agent}/${round}/${index}`
          written[agent]!.push(value)
          return { subject: subjectOf(agent), key: `${agent}`, value }
        })
        await writer.write(messages)
      }
      if (round % 30 !== 29) continue
      const agent = 1 + below(AGENTS - 1)
      given[agent]!.push(...(await rest(readers[agent]!, { maxMessages: 1 + below(20), acknowledges })))
    }
    for (const [agent, reader] of readers.entries())
      given[agent]!.push(...(await rest(reader, { maxMessages: 100, acknowledges })))
    assert.deepEqual(given, written)
    await bus.close()
  })
}
