import type { Bus } from '../bus/index.ts'
import { type Clock, type Random, uuidV7 } from '../core/index.ts'
import { openOwnTopic } from './own-topic.ts'
import { readToEnd } from './read-to-end.ts'

/** Keeps the identity of the broker it lies on. */
export const IDENTITY_TOPIC = 'skein.bridges'

/**
 * What a broker is known by, whatever address leads to it: twelve hexadecimal digits that the first bridge wrote there.
 * Where several begin at once, the record that comes first counts for all of them.
 */
export async function brokerIdentity(
  bus: Bus,
  parts: { readonly clock: Clock; readonly random: Random; readonly signal?: AbortSignal | undefined },
): Promise<string> {
  await openOwnTopic(bus, IDENTITY_TOPIC, { keepsAll: true })
  const known = await firstIdentity(bus, parts.signal)
  if (known !== undefined) return known
  const writer = bus.writer(IDENTITY_TOPIC)
  try {
    await writer.write([{ subject: IDENTITY_TOPIC, value: uuidV7(parts.clock, parts.random).slice(-12) }])
  } finally {
    await writer.close()
  }
  return (await firstIdentity(bus, parts.signal))!
}

async function firstIdentity(bus: Bus, signal: AbortSignal | undefined): Promise<string | undefined> {
  const { partitions } = await bus.admin.describeTopic(IDENTITY_TOPIC)
  for await (const deliveries of readToEnd(bus, IDENTITY_TOPIC, { from: [partitions[0]!.start], signal })) {
    for (const delivery of deliveries) return delivery.text()
  }
  return undefined
}
