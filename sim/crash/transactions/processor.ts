import { connectKafkaBus } from '../../../src/bus/drivers/kafka/index.ts'
import { systemClock, systemRandom } from '../../../src/core/system/index.ts'
import { outputOf } from './check-outputs.ts'

/**
 * Reads inputs, writes an output for each, and commits both in one transaction, until it is killed. Says `open` when a
 * transaction has messages in it and `committed N` after each.
 */
const [url, input, output] = process.argv.slice(2) as [string, string, string]
const BATCH_MAX = 50

const bus = await connectKafkaBus({ url, clock: systemClock, random: systemRandom })
await bus.open({ name: input, intent: 'telemetry' })
await bus.open({ name: output, intent: 'telemetry' })
// Takes the id over before anything is read: what the one before left open is aborted, and its places are free at once.
await (await bus.transaction({ id: 'processor' })).abort()
const reader = bus.reader(input, { mode: 'group', group: 'processor', retry: { attemptsMax: 1_000 } })
for (;;) {
  const batch = await reader.read({ maxMessages: BATCH_MAX })
  if (batch === null) continue
  const transaction = await bus.transaction({ id: 'processor' })
  const outputs = batch.deliveries.map((one) => ({ subject: output, key: one.key, value: outputOf(one.text()) }))
  await transaction.write(output, outputs)
  process.stdout.write('open\n')
  await transaction.acknowledge(reader, batch.last, batch.generation)
  await transaction.commit()
  process.stdout.write(`committed ${batch.deliveries.length}\n`)
}
