import { openEmbeddedBus } from '../../src/bus/drivers/embedded/index.ts'
import { kafkaCapabilities } from '../../src/bus/drivers/kafka/index.ts'
import { coreCapabilities, featuresOf, newLogTopic } from '../../src/bus/drivers/nats/index.ts'
import { capabilitiesOf } from '../../src/bus/drivers/rabbitmq/index.ts'
import type { Capabilities, Durability } from '../../src/bus/index.ts'
import { resolveTopic } from '../../src/bus/kit/index.ts'
import { systemClock, systemDisk, systemRandom } from '../../src/core/system/index.ts'

/** What a driver says of one kind of topic, as `open()` would: with one server, and where it differs with three. */
export interface Semantics {
  readonly name: string
  readonly alone: Capabilities
  readonly ofThree?: Durability
}

export interface BrokerSemantics {
  /** Topics that are stored: telemetry, events, commands. */
  readonly kept: readonly Semantics[]
  /** Topics that are not: notices, queries, pulses. */
  readonly passing: readonly Semantics[]
}

/** The version of NATS that the table is of: older ones have less. */
const NATS_VERSION = '2.15.2'

const KEPT = resolveTopic({ name: 'kept', intent: 'telemetry', durability: 'written' })
const PASSING = resolveTopic({ name: 'passing', intent: 'notice' })

/** Asks the drivers themselves. `directory`: empty, on a real disk. */
export async function brokerSemantics(directory: string): Promise<BrokerSemantics> {
  const bus = await openEmbeddedBus({ disk: systemDisk(), clock: systemClock, random: systemRandom, directory })
  try {
    const kept = { name: 'embedded log, node', alone: await bus.open({ name: 'kept', intent: 'telemetry' }) }
    const passing = { name: 'embedded, node', alone: await bus.open({ name: 'passing', intent: 'notice' }) }
    return {
      kept: [kept, kafka(), jetstream(), rabbitmq('log'), rabbitmq('work')],
      passing: [
        passing,
        { name: 'NATS core', alone: coreCapabilities(PASSING) },
        {
          name: 'RabbitMQ exchange',
          alone: capabilitiesOf({ settings: PASSING, keeping: 'ephemeral' }, { members: 1 }),
        },
      ],
    }
  } finally {
    await bus.close()
  }
}

function kafka(): Semantics {
  const replicated = kafkaCapabilities({ ...KEPT, replicationFactor: 3, minInSyncReplicas: 2 })
  return { name: 'Kafka', alone: kafkaCapabilities(KEPT), ofThree: replicated.durability }
}

function jetstream(): Semantics {
  const features = featuresOf(NATS_VERSION)
  const topic = (replicas: number) => newLogTopic(KEPT, { replicas, syncAlways: false, features, takesBatches: true })
  return { name: 'JetStream', alone: topic(1).capabilities, ofThree: topic(3).capabilities.durability }
}

function rabbitmq(keeping: 'log' | 'work'): Semantics {
  const topic = (members: number) => capabilitiesOf({ settings: KEPT, keeping }, { members })
  const name = keeping === 'log' ? 'RabbitMQ stream' : 'RabbitMQ work'
  return { name, alone: topic(1), ofThree: topic(3).durability }
}
