import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SimulatedClock, seededRandom } from '../../../testing/index.ts'
import { openEmbeddedBus } from '../../bus/drivers/embedded/index.ts'
import type { Bus } from '../../bus/index.ts'
import { memoryDisk, SkeinError } from '../../core/index.ts'
import { OUTCOMES_TOPIC, type OutcomeReport, outcomesTopic } from './outcome-record.ts'
import { OutcomeReporter } from './outcome-reporter.ts'

/** A bus that takes nothing until it is let. */
async function stoppedBus(clock: SimulatedClock): Promise<{ bus: Bus; start: () => void; stored(): Promise<number> }> {
  const inner = await openEmbeddedBus({ disk: memoryDisk(), clock, random: seededRandom(2), directory: 'data' })
  await inner.open(outcomesTopic('none'))
  let isStopped = true
  const writer = inner.writer(OUTCOMES_TOPIC)
  const bus = {
    writer: () => ({
      write: async (batch: Parameters<typeof writer.write>[0]) => {
        if (isStopped) throw new SkeinError('disk-full', 'Cannot append: the disk is full', { retryable: true })
        return writer.write(batch)
      },
      close: () => writer.close(),
    }),
  } as unknown as Bus
  return {
    bus,
    start: () => {
      isStopped = false
    },
    stored: async () => (await inner.admin.describeTopic(OUTCOMES_TOPIC)).partitions[0]!.end.sequence,
  }
}

function reportOf(n: number, reply: string): OutcomeReport {
  const outcome = { state: 'done', reply, atMs: 0 } as const
  return { intentId: `intent-${n}`, agentId: 'drone-7', sender: 'tower', type: 'move', outcome }
}

describe('OutcomeReporter', () => {
  for (const [bound, count, reply, least, most] of [
    ['number', 12_000, '', 10_000, 10_000],
    ['bytes', 30, 'x'.repeat(1_000_000), 8, 9],
  ] as const) {
    it(`holds reports within its bound on ${bound}, and asks for those that it dropped`, async () => {
      const clock = new SimulatedClock()
      const { bus, start, stored } = await stoppedBus(clock)
      const reported = new Set<string>()
      const held: number[] = []
      const reporter: OutcomeReporter = new OutcomeReporter({
        ...{ bus, clock, random: seededRandom(3), onError: assert.ifError },
        onReported: ({ intentId }) => reported.add(intentId),
        onDropped: () => {
          held.push(reported.size)
          for (let n = 0; n < count; n += 1) if (!reported.has(`intent-${n}`)) reporter.report(reportOf(n, reply))
        },
      })
      for (let n = 0; n < count; n += 1) reporter.report(reportOf(n, reply))
      await clock.advance(1_000)
      start()
      await clock.advanceUntil(() => reported.size === count)
      assert.ok(held[0]! >= least && held[0]! <= most, `${held[0]} were held`)
      assert.equal(await stored(), count)
      await reporter.close()
    })
  }

  it('lets no report that the bus refuses hold up the others: a reply is left out, anything else is told and let go', async () => {
    const clock = new SimulatedClock()
    const bus = await openEmbeddedBus({ disk: memoryDisk(), clock, random: seededRandom(2), directory: 'data' })
    await bus.open({ ...outcomesTopic('none'), messageBytesMax: 1_000 })
    const errors: unknown[] = []
    const reported: string[] = []
    const reporter = new OutcomeReporter({
      ...{ bus, clock, random: seededRandom(3), onError: (error) => errors.push(error) },
      onReported: ({ intentId, outcome }) => reported.push(`${intentId} ${outcome.reason ?? outcome.state}`),
    })
    reporter.report(reportOf(1, 'small'))
    reporter.report(reportOf(2, 'x'.repeat(2_000)))
    reporter.report({ ...reportOf(3, 'small'), sender: 'no subject at all' })
    reporter.report(reportOf(4, 'small'))
    await reporter.drain()
    assert.deepEqual(reported, ['intent-1 done', 'intent-2 reply-too-large', 'intent-4 done'])
    assert.deepEqual(
      errors.map((error) => (error as SkeinError).code),
      ['message-too-large', 'bad-subject'],
    )
    await bus.close()
  })
})
