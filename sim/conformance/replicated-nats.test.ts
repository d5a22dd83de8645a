import { findService } from '../../test/services/find-service.ts'
import { requireService } from '../../test/services/require-service.ts'
import { replicatedLogCases, replicatedLogConformance } from '../../testing/index.ts'
import { NatsWorld } from './nats-world.ts'
import { ReplicatedBrokerWorld } from './replicated-broker-world.ts'

const { skip } = await requireService('nats')

replicatedLogConformance({
  name: 'replicated log on jetstream',
  create: async () => ReplicatedBrokerWorld.create(await NatsWorld.create(await findService('nats'), 'jetstream')),
  skip: skip === false ? {} : Object.fromEntries(replicatedLogCases.map(({ name }) => [name, skip])),
  caseMs: 60_000,
})
