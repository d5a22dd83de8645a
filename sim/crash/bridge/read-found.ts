import type { Bus } from '../../../src/bus/index.ts'
import { readToEnd } from '../../../src/transfer/index.ts'
import { TOPIC } from './bridge-ends.ts'
import type { FoundMessage } from './check-moved.ts'

/** Everything of the run's topic on a bus, as its writer wrote it. */
export async function readFound(bus: Bus): Promise<FoundMessage[]> {
  const { partitions } = await bus.admin.describeTopic(TOPIC)
  const found: FoundMessage[] = []
  for await (const deliveries of readToEnd(bus, TOPIC, { from: partitions.map(({ start }) => start) })) {
    for (const one of deliveries) {
      const line = one.text().split(' ', 2).join(' ')
      found.push({ line, subject: one.subject, key: one.key, about: one.headers.about })
    }
  }
  return found
}
