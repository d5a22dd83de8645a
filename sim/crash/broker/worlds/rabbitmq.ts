import { connectRabbitmqBus } from '../../../../src/bus/drivers/rabbitmq/index.ts'
import { systemClock, systemRandom } from '../../../../src/core/system/index.ts'
import type { CrashWorld } from '../crash-world.ts'

/** Streams on one server: what it confirmed is written, and outlives its death but not its machine's power. */
export const rabbitmqWorld: CrashWorld = {
  service: 'rabbitmq',
  connect: ([url]) =>
    connectRabbitmqBus({ url: url!, clock: systemClock, random: systemRandom, connectTimeoutMs: 60_000 }),
  topic: () => ({ name: 'crash.load', intent: 'event', partitions: 2, durability: 'written' }),
  whole: async () => {
    throw new Error('a RabbitMQ of several nodes is not known here')
  },
}
