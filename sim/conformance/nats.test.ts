import { findService } from '../../test/services/find-service.ts'
import { requireService } from '../../test/services/require-service.ts'
import { busCases, busConformance } from '../../testing/index.ts'
import { NatsWorld } from './nats-world.ts'

const { skip } = await requireService('nats')
const reasons = skip === false ? {} : Object.fromEntries(busCases.map(({ name }) => [name, skip]))

for (const [name, mode] of [
  ['nats', 'core'],
  ['jetstream', 'jetstream'],
] as const) {
  const create = async () => NatsWorld.create(await findService('nats'), mode)
  busConformance({ name, create, skip: reasons, caseMs: 60_000 })
}
