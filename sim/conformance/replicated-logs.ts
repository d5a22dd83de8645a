import type { ReplicatedLogWorld } from '../../testing/index.ts'

/** An implementation of the replicated log that the suite is run against. */
export interface TestedLog {
  /** What carries it, and its version. */
  readonly server: string
  readonly create: () => Promise<ReplicatedLogWorld>
  /** Names of cases that are not run, each with the reason. */
  readonly skip?: Readonly<Record<string, string>>
  /** How long one case may take. Default 30,000. */
  readonly caseMs?: number
  /** Ends the server. */
  stop(): Promise<void>
}

const stop = async () => {}

/** Every implementation. */
export const REPLICATED_LOGS: Readonly<Record<string, () => Promise<TestedLog>>> = {
  async raft() {
    const { ReplicatedRaftWorld } = await import('./replicated-raft-world.ts')
    return {
      server: 'three members over loopback sockets, on a real disk',
      create: () => ReplicatedRaftWorld.create(),
      stop,
    }
  },
  async kafka() {
    const { KafkaServer, KafkaWorld } = await import('./kafka-world.ts')
    const { ReplicatedBrokerWorld } = await import('./replicated-broker-world.ts')
    const server = await KafkaServer.start({ killsBroker: true })
    const create = async () => ReplicatedBrokerWorld.create(await KafkaWorld.create(server))
    return {
      server: `Apache Kafka ${server.service.version}`,
      create,
      caseMs: 120_000,
      stop: () => server.stop(),
    }
  },
  async jetstream() {
    const { findService } = await import('../../test/services/find-service.ts')
    const { NatsWorld } = await import('./nats-world.ts')
    const { ReplicatedBrokerWorld } = await import('./replicated-broker-world.ts')
    const found = await findService('nats')
    const server = await found.start()
    await server.stop()
    const create = async () => ReplicatedBrokerWorld.create(await NatsWorld.create(found, 'jetstream'))
    return { server: `nats-server ${server.version}`, create, caseMs: 60_000, stop }
  },
  async embedded() {
    const { ReplicatedEmbeddedWorld } = await import('./replicated-embedded-world.ts')
    const create = () => ReplicatedEmbeddedWorld.create()
    return { server: 'two members on an embedded bus, on a real disk', create, stop }
  },
  async 'sequenced-kafka'() {
    const { KafkaServer, KafkaWorld } = await import('./kafka-world.ts')
    const { ReplicatedSequencedWorld } = await import('./replicated-sequenced-world.ts')
    const server = await KafkaServer.start({ killsBroker: true })
    const create = async () =>
      ReplicatedSequencedWorld.create(await KafkaWorld.create(server), { electionTimeoutMs: 1_000 })
    return {
      server: `Apache Kafka ${server.service.version}, three members over loopback sockets`,
      create,
      caseMs: 300_000,
      stop: () => server.stop(),
    }
  },
}
