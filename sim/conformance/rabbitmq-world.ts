import { connectRabbitmqBus, type RabbitmqBus } from '../../src/bus/drivers/rabbitmq/index.ts'
import type { Bus } from '../../src/bus/index.ts'
import { systemClock, systemRandom } from '../../src/core/system/index.ts'
import { findService } from '../../test/services/find-service.ts'
import { TcpProxy, type Weather } from '../../test/services/tcp-proxy.ts'
import type { BusWorld } from '../../testing/index.ts'
import { ProxiedServer } from './proxied-server.ts'

const NAMES_SYNCED_WITHIN_MS = 1_000
/** A connection that is silent for twice as long is given up. */
const HEARTBEAT_SECONDS = 4

/** One broker for all the worlds of a run. */
export class RabbitmqServer extends ProxiedServer {
  static async start({ killsBroker }: { readonly killsBroker: boolean }): Promise<RabbitmqServer> {
    const service = await (await findService('rabbitmq')).start({ mortal: true })
    return new RabbitmqServer({ service, proxy: await TcpProxy.listen(), killsBroker })
  }

  /** `namespace`: what this bus makes there is apart from what others make. */
  connect(namespace: string): Promise<RabbitmqBus> {
    const url = new URL(this.service.url)
    url.hostname = '127.0.0.1'
    url.port = String(this.proxy.port)
    return connectRabbitmqBus({
      url: url.href,
      clock: systemClock,
      random: systemRandom,
      namespace,
      heartbeatSeconds: HEARTBEAT_SECONDS,
    })
  }

  /** Ra notes the names of new queues on disk half a second late: killed earlier, the broker forgets a group's place. */
  override async bounce(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, NAMES_SYNCED_WITHIN_MS))
    await super.bounce()
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
    server.slow({})
    const namespace = `world-${crypto.randomUUID().slice(0, 8)}`
    return new RabbitmqWorld(server, namespace, await server.connect(namespace))
  }

  async restart(how: 'drain' | 'kill'): Promise<Bus> {
    if (how === 'drain') await this.bus.drain()
    else await Promise.all([this.#server.kill(), this.bus.close()])
    this.bus = await this.#server.connect(this.#namespace)
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

  /** Queues that nobody uses would cost the later worlds of the run. */
  async close(): Promise<void> {
    await this.bus.close()
    this.#server.slow({})
    const bus = await this.#server.connect(this.#namespace)
    for (const topic of await bus.admin.listTopics()) await bus.admin.deleteTopic(topic)
    await bus.close()
  }
}
