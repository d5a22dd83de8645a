import { after } from 'node:test'
import { requireService } from '../../test/services/require-service.ts'
import { busCases, busConformance } from '../../testing/index.ts'
import { KAFKA_CASE_MS, KAFKA_SKIPS } from './kafka-skips.ts'
import { KafkaServer, KafkaWorld } from './kafka-world.ts'

const KILLS_BROKER = 'it kills the broker, which takes long: `npm run -s conformance -- kafka` runs it'

const { skip } = await requireService('kafka')
const server = skip === false ? await KafkaServer.start({ killsBroker: false }) : undefined
after(() => server?.stop())

const reasons =
  skip === false
    ? {
        ...KAFKA_SKIPS,
        ...Object.fromEntries(
          busCases.filter(({ name }) => name.includes('the broker is killed')).map(({ name }) => [name, KILLS_BROKER]),
        ),
      }
    : Object.fromEntries(busCases.map(({ name }) => [name, skip]))

busConformance({
  name: 'kafka',
  create: () => KafkaWorld.create(server!),
  skip: reasons,
  caseMs: KAFKA_CASE_MS,
})
