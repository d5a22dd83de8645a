import { connectKafkaBus, type KafkaBus } from '../../src/bus/drivers/kafka/index.ts'
import type { Bus } from '../../src/bus/index.ts'
import { systemClock, systemRandom } from '../../src/core/system/index.ts'
import { findService } from '../../test/services/find-service.ts'
import type { Service } from '../../test/services/service.ts'
import { TcpProxy, type Weather } from '../../test/services/tcp-proxy.ts'
import type { BusWorld } from '../../testing/index.ts'

export interface KafkaServerOptions {
  /** A kill of the world kills the broker too, not only its client. */
  readonly killsBroker: boolean
}

/** One broker for all the worlds of a run, behind a proxy that can break its connections. */
export class KafkaServer {
  readonly service: Service
  readonly proxy: TcpProxy
  readonly #options: KafkaServerOptions

  private constructor(service: Service, proxy: TcpProxy, options: KafkaServerOptions) {
    this.service = service
    this.proxy = proxy
    this.#options = options
  }

  static async start(options: KafkaServerOptions): Promise<KafkaServer> {
    const proxy = await TcpProxy.listen()
    const settings = { 'advertised.port': String(proxy.port) }
    const service = await (await findService('kafka')).start({ mortal: true, settings })
    proxy.pointTo({ host: '127.0.0.1', port: Number(new URL(service.url).port) })
    return new KafkaServer(service, proxy, options)
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

  async kill(): Promise<void> {
    if (this.#options.killsBroker) await this.bounce()
  }

  async bounce(): Promise<void> {
    const [node] = this.service.nodes
    await node!.kill()
    await node!.start()
  }

  async stop(): Promise<void> {
    await this.service.stop()
    await this.proxy.close()
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
    server.proxy.set({})
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
    if (how === 'silence') this.#server.proxy.silence()
    else this.#server.proxy.cut()
  }

  bounce(): Promise<void> {
    return this.#server.bounce()
  }

  slow(link: Weather): void {
    this.#server.proxy.set(link)
  }

  async close(): Promise<void> {
    await this.bus.close()
  }
}
