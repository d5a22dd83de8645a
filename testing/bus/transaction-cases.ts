import assert from 'node:assert/strict'
import type { Bus, Delivery, Reader, Transaction } from '../../src/bus/index.ts'
import {
  assertQuiet,
  everything,
  groupReader,
  messageOf,
  nextBatch,
  openTopic,
  rejectsWith,
  TOPIC,
  takeAll,
  texts,
  write,
} from './suite-topic.ts'
import type { BusCase } from './world.ts'

const OUTPUT = 'suite.outputs'

function outputOf(delivery: Delivery) {
  return { subject: OUTPUT, key: delivery.key, value: `done ${delivery.text()}` }
}

function outputs(bus: Bus): Reader {
  return bus.reader(OUTPUT, { mode: 'broadcast', from: 'earliest' })
}

/** Reads a batch, writes its outputs and takes its acknowledgment into the transaction. */
async function process(reader: Reader, transaction: Transaction): Promise<string[]> {
  const batch = await nextBatch(reader)
  await transaction.write(OUTPUT, batch.deliveries.map(outputOf))
  await transaction.acknowledge(reader, batch.last, batch.generation)
  return texts(batch.deliveries)
}

export const transactionCases: readonly BusCase[] = [
  {
    name: 'what a transaction writes and acknowledges takes effect with its commit, also over a kill',
    needs: ['transactions', 'groups'],
    async run(world) {
      await openTopic(world)
      await openTopic(world, { name: OUTPUT })
      await write(world.bus, 'a:1', 'a:2')
      const transaction = await world.bus.transaction!({ id: 'suite' })
      assert.deepEqual(await process(groupReader(world.bus), transaction), ['a:1', 'a:2'])
      const watching = outputs(world.bus)
      await assertQuiet(watching)
      await transaction.commit()
      assert.deepEqual(texts(await takeAll(watching, 2)), ['done a:1', 'done a:2'])
      await world.restart('kill')
      await openTopic(world)
      await openTopic(world, { name: OUTPUT })
      await write(world.bus, 'a:3')
      assert.deepEqual(texts(await takeAll(groupReader(world.bus), 1)), ['a:3'])
      assert.equal((await takeAll(outputs(world.bus), 2)).length, 2)
    },
  },
  {
    name: 'an aborted transaction leaves nothing to readers, and what it acknowledged comes again, counted',
    needs: ['transactions', 'groups', 'retry'],
    async run(world) {
      await openTopic(world)
      await openTopic(world, { name: OUTPUT })
      await write(world.bus, 'a:1')
      const reader = groupReader(world.bus)
      for (const attempt of [1, 2]) {
        const aborted = await world.bus.transaction!({ id: 'suite' })
        const batch = await nextBatch(reader)
        assert.equal(batch.deliveries[0]!.attempt, attempt)
        await aborted.write(OUTPUT, batch.deliveries.map(outputOf))
        await aborted.acknowledge(reader, batch.last, batch.generation)
        await Promise.all([aborted.abort(), aborted.abort()])
        await rejectsWith('closed', aborted.write(OUTPUT, [messageOf('a:1')]))
      }
      const committed = await world.bus.transaction!({ id: 'suite' })
      await process(reader, committed)
      await committed.commit()
      const watching = outputs(world.bus)
      assert.deepEqual(texts(await takeAll(watching, 1)), ['done a:1'])
      await assertQuiet(watching)
      await assertQuiet(reader)
    },
  },
  {
    name: 'a transaction that was open at a kill is aborted by whoever begins under its name',
    needs: ['transactions', 'groups'],
    async run(world) {
      await openTopic(world)
      await openTopic(world, { name: OUTPUT })
      await write(world.bus, 'a:1')
      await process(groupReader(world.bus), await world.bus.transaction!({ id: 'suite' }))
      await world.restart('kill')
      await openTopic(world)
      await openTopic(world, { name: OUTPUT })
      const transaction = await world.bus.transaction!({ id: 'suite' })
      assert.deepEqual(await process(groupReader(world.bus), transaction), ['a:1'])
      await transaction.commit()
      const watching = outputs(world.bus)
      assert.deepEqual(texts(await takeAll(watching, 1)), ['done a:1'])
      await assertQuiet(watching)
    },
  },
  {
    name: 'transactions of one name follow one another; a second at once is refused',
    needs: ['transactions'],
    async run(world) {
      await openTopic(world)
      const first = await world.bus.transaction!({ id: 'suite' })
      await rejectsWith('bad-argument', world.bus.transaction!({ id: 'suite' }))
      await first.write(TOPIC, [messageOf('a:1')])
      await first.commit()
      const second = await world.bus.transaction!({ id: 'suite' })
      await second.commit()
      const third = await world.bus.transaction!({ id: 'suite' })
      await third.write(TOPIC, [messageOf('a:2')])
      await third.commit()
      assert.deepEqual(texts(await takeAll(everything(world.bus), 2)), ['a:1', 'a:2'])
    },
  },
]
