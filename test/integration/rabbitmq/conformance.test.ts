import { after } from 'node:test'
import { RABBITMQ_CASE_MS, RABBITMQ_SKIPS } from '../../../sim/conformance/rabbitmq-skips.ts'
import { RabbitmqServer, RabbitmqWorld } from '../../../sim/conformance/rabbitmq-world.ts'
import { busCases, busConformance } from '../../../testing/index.ts'
import { requireService } from '../../services/require-service.ts'

// The suite with one broker, which dies in the cases that say so; `npm run -s conformance -- rabbitmq` kills it in others as well.
const { skip } = await requireService('rabbitmq')
const reasons = skip === false ? RABBITMQ_SKIPS : Object.fromEntries(busCases.map(({ name }) => [name, skip]))

let server: Promise<RabbitmqServer> | undefined
after(async () => (await server)?.stop())
const create = async () => {
  server ??= RabbitmqServer.start({ killsBroker: false })
  return RabbitmqWorld.create(await server)
}

busConformance({ name: 'rabbitmq', create, skip: reasons, caseMs: RABBITMQ_CASE_MS })
