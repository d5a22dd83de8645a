import { connectKafkaBus, type KafkaBus } from '../../src/bus/drivers/kafka/index.ts'
import type { Bus } from '../../src/bus/index.ts'
import { systemClock, systemRandom } from '../../src/core/system/index.ts'
import { findService } from '../../test/services/find-service.ts'
import { TcpProxy, type Weather } from '../../test/services/tcp-proxy.ts'
import type { BusWorld } from '../../testing/index.ts'
import { ProxiedServer } from './proxied-server.ts'

/** One broker for all the worlds of a run. */
export class KafkaServer extends ProxiedServer {
  static async start({ killsBroker }: { readonly killsBroker: boolean }): Promise<KafkaServer> {
    const proxy = await TcpProxy.listen()
    const settings = { 'advertised.port': String(proxy.port) }
    const service = await (await findService('kafka')).start({ mortal: true, settings })
    return new KafkaServer({ service, proxy, killsBroker })
  }

  connect(): Promise<KafkaBus> {
    return connectKafkaBus({
      url: `kafka://127.0.0.1:${this.proxy.port}`,
      clock: systemClock,
      random: systemRandom,
      requestTimeoutMs: 3_000,
      // A message is old, and a segment done with, within the patience of a case.
      topicConfigs: { 'segment.ms': '10', 'min.cleanable.dirty.ratio': '0.01', 'file.delete.delay.ms': '100' },
    })
  }
}

/** A bus on the run's broker, with no topic of an earlier world. */
export class KafkaWorld implements BusWorld {
  readonly durability = 'written'
  readonly patience = { comesWithinMs: 20_000, quietMs: 600 }
  readonly #server: KafkaServer
  bus: KafkaBus

  private constructor(server: KafkaServer, bus: KafkaBus) {
    this.#server = server
    this.bus = bus
  }

  static async create(server: KafkaServer): Promise<KafkaWorld> {
    server.slow({})
    const bus = await server.connect()
    for (const topic of await bus.admin.listTopics()) await bus.admin.deleteTopic(topic)
    return new KafkaWorld(server, bus)
  }

  async restart(how: 'drain' | 'kill'): Promise<Bus> {
    if (how === 'drain') await this.bus.drain()
    else {
      await this.bus.vanish()
      await this.#server.kill()
    }
    this.bus = await this.#server.connect()
    return this.bus
  }

  async disrupt(how: 'reset' | 'silence' = 'reset'): Promise<void> {
    this.#server.disrupt(how)
  }

  bounce(): Promise<void> {
    return this.#server.bounce()
  }

  slow(link: Weather): void {
    this.#server.slow(link)
  }

  async close(): Promise<void> {
    await this.bus.close()
  }
}
