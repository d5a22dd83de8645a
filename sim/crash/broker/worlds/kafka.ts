import { connectKafkaBus, type KafkaBus } from '../../../../src/bus/drivers/kafka/index.ts'
import { systemClock, systemRandom } from '../../../../src/core/system/index.ts'
import type { Service } from '../../../../test/services/service.ts'
import type { CrashWorld } from '../crash-world.ts'

const REPLICAS = 3
/** Kafka's own, which keep the places of groups and the transactions. */
const INTERNAL = ['__consumer_offsets', '__transaction_state']

/** Topics of three replicas, two of them in sync, where there are three nodes. */
export const kafkaWorld: CrashWorld = {
  service: 'kafka',
  connect,
  topic: (nodes) => ({
    name: 'crash.load',
    intent: 'event',
    partitions: 2,
    durability: nodes >= REPLICAS ? 'replicated' : 'written',
    deduplicationWindowMs: 120_000,
  }),
  whole,
}

function connect(urls: readonly string[]): Promise<KafkaBus> {
  const hosts = urls.map((url) => url.replace('kafka://', ''))
  return connectKafkaBus({
    url: `kafka://${hosts.join(',')}`,
    clock: systemClock,
    random: systemRandom,
    connectTimeoutMs: 60_000,
    retryForMs: 60_000,
  })
}

/** Every partition of every topic has a leader and all its replicas in sync. */
async function whole(service: Service): Promise<void> {
  const bus = await connect(service.urls)
  try {
    for (const topic of [...(await bus.admin.listTopics()), ...INTERNAL]) {
      const health = await bus.admin.health(topic).catch((error: unknown) => {
        // No transaction was ever begun.
        if ((error as { code?: string }).code === 'not-found' && INTERNAL.includes(topic)) return undefined
        throw error
      })
      if (health === undefined) continue
      const { leaderless, underReplicated } = health
      if (leaderless > 0 || underReplicated > 0) {
        throw new Error(
          `${topic} has ${leaderless} partitions without a leader and ${underReplicated} under-replicated`,
        )
      }
    }
  } finally {
    await bus.close()
  }
}
