import { connectRabbitmqBus, type RabbitmqBus } from '../../src/bus/drivers/rabbitmq/index.ts'
import type { Bus } from '../../src/bus/index.ts'
import { systemClock, systemRandom } from '../../src/core/system/index.ts'
import { findService } from '../../test/services/find-service.ts'
import type { Service } from '../../test/services/service.ts'
import { TcpProxy } from '../../test/services/tcp-proxy.ts'
import type { BusWorld } from '../../testing/index.ts'

const NAMES_SYNCED_WITHIN_MS = 1_000

export interface RabbitmqServerOptions {
  /** A kill of the world kills the broker too, not only its client. */
  readonly killsBroker: boolean
}

/** One broker for all the worlds of a run, behind a proxy that can break its connections. */
export class RabbitmqServer {
  readonly service: Service
  readonly proxy: TcpProxy
  readonly #options: RabbitmqServerOptions

  private constructor(service: Service, proxy: TcpProxy, options: RabbitmqServerOptions) {
    this.service = service
    this.proxy = proxy
    this.#options = options
  }

  static async start(options: RabbitmqServerOptions): Promise<RabbitmqServer> {
    const service = await (await findService('rabbitmq')).start({ mortal: options.killsBroker })
    const { hostname, port } = new URL(service.url)
    const proxy = await TcpProxy.listen()
    proxy.pointTo({ host: hostname, port: Number(port || 5672) })
    return new RabbitmqServer(service, proxy, options)
  }

  /** `namespace`: what this bus makes there is apart from what others make. */
  connect(namespace: string): Promise<RabbitmqBus> {
    const url = new URL(this.service.url)
    url.hostname = '127.0.0.1'
    url.port = String(this.proxy.port)
    return connectRabbitmqBus({ url: url.href, clock: systemClock, random: systemRandom, namespace })
  }

  /** The client first: what it would still have said is never heard. */
  async kill(): Promise<void> {
    this.proxy.cut()
    if (!this.#options.killsBroker) return
    // Ra notes the names of new queues on disk half a second late: killed earlier, the broker forgets a group's place.
    await new Promise((resolve) => setTimeout(resolve, NAMES_SYNCED_WITHIN_MS))
    const [node] = this.service.nodes
    await node!.kill()
    await node!.start()
  }

  async stop(): Promise<void> {
    await this.service.stop()
    await this.proxy.close()
  }
}

/** A bus on the run's broker, in a namespace of its own. */
export class RabbitmqWorld implements BusWorld {
  readonly durability = 'written'
  readonly patience = { comesWithinMs: 20_000, quietMs: 400 }
  readonly #server: RabbitmqServer
  readonly #namespace: string
  bus: RabbitmqBus

  private constructor(server: RabbitmqServer, namespace: string, bus: RabbitmqBus) {
    this.#server = server
    this.#namespace = namespace
    this.bus = bus
  }

  static async create(server: RabbitmqServer): Promise<RabbitmqWorld> {
    const namespace = `world-${crypto.randomUUID().slice(0, 8)}`
    return new RabbitmqWorld(server, namespace, await server.connect(namespace))
  }

  async restart(how: 'drain' | 'kill'): Promise<Bus> {
    if (how === 'drain') await this.bus.drain()
    else await Promise.all([this.#server.kill(), this.bus.close()])
    this.bus = await this.#server.connect(this.#namespace)
    return this.bus
  }

  async disrupt(): Promise<void> {
    this.#server.proxy.cut()
  }

  /** Queues that nobody uses would cost the later worlds of the run. */
  async close(): Promise<void> {
    await this.bus.close()
    const bus = await this.#server.connect(this.#namespace)
    for (const topic of await bus.admin.listTopics()) await bus.admin.deleteTopic(topic)
    await bus.close()
  }
}
