import type { StartDriver, TestedDriver } from './tested-driver.ts'

const stop = async () => {}

/** What `npm run -s conformance` can name; a broker's driver starts its own server. */
export const DRIVERS: Readonly<Record<string, StartDriver>> = {
  async memory() {
    const { EmbeddedWorld } = await import('./embedded-world.ts')
    return { server: 'in process, on a disk in memory', create: () => EmbeddedWorld.inMemory(), stop }
  },
  async embedded() {
    const { EmbeddedWorld } = await import('./embedded-world.ts')
    return { server: 'in process, on a real disk', create: () => EmbeddedWorld.onDisk(), stop }
  },
  async remote() {
    const { RemoteWorld } = await import('./remote-world.ts')
    return { server: 'a node over a loopback socket, on a real disk', create: () => RemoteWorld.create(), stop }
  },
  async kafka() {
    const { KafkaServer, KafkaWorld } = await import('./kafka-world.ts')
    const { KAFKA_CASE_MS, KAFKA_SKIPS } = await import('./kafka-skips.ts')
    const server = await KafkaServer.start({ killsBroker: true })
    return {
      server: `Apache Kafka ${server.service.version}`,
      create: () => KafkaWorld.create(server),
      caseMs: KAFKA_CASE_MS,
      skip: KAFKA_SKIPS,
      stop: () => server.stop(),
    }
  },
  async rabbitmq() {
    const { RabbitmqServer, RabbitmqWorld } = await import('./rabbitmq-world.ts')
    const { RABBITMQ_CASE_MS, RABBITMQ_SKIPS } = await import('./rabbitmq-skips.ts')
    const server = await RabbitmqServer.start({ killsBroker: true })
    return {
      server: `RabbitMQ ${server.service.version}`,
      create: () => RabbitmqWorld.create(server),
      caseMs: RABBITMQ_CASE_MS,
      skip: RABBITMQ_SKIPS,
      stop: () => server.stop(),
    }
  },
  nats: () => startNats('core'),
  jetstream: () => startNats('jetstream'),
}

/** A server per case: it starts in a tenth of a second. */
async function startNats(mode: 'core' | 'jetstream'): Promise<TestedDriver> {
  const { findService } = await import('../../test/services/find-service.ts')
  const { NatsWorld } = await import('./nats-world.ts')
  const found = await findService('nats')
  const server = await found.start()
  await server.stop()
  const create = () => NatsWorld.create(found, mode)
  return { server: `nats-server ${server.version}`, create, caseMs: 60_000, stop }
}
