import { connectNatsBus, type NatsBus } from '../../src/bus/drivers/nats/index.ts'
import type { Durability, TopicSpec } from '../../src/bus/index.ts'
import { systemClock, systemRandom } from '../../src/core/system/index.ts'
import type { FoundService } from '../../test/services/find-service.ts'
import type { Service } from '../../test/services/service.ts'
import { TcpProxy, type Weather } from '../../test/services/tcp-proxy.ts'
import type { BusWorld } from '../../testing/index.ts'

const PING_INTERVAL_MS = 1_000

/** A nats-server of its own behind a proxy of ours, and a bus on it. */
export class NatsWorld implements BusWorld {
  bus: NatsBus
  readonly durability: Durability
  readonly topic: Partial<TopicSpec>
  readonly patience = { comesWithinMs: 15_000, quietMs: 100 }
  readonly #mode: 'core' | 'jetstream'
  readonly #server: Service
  readonly #proxy: TcpProxy

  private constructor(mode: 'core' | 'jetstream', parts: { server: Service; proxy: TcpProxy; bus: NatsBus }) {
    this.#mode = mode
    this.#server = parts.server
    this.#proxy = parts.proxy
    this.bus = parts.bus
    this.durability = mode === 'core' ? 'none' : 'written'
    this.topic = mode === 'core' ? { storage: 'ephemeral' } : {}
  }

  static async create(found: FoundService, mode: 'core' | 'jetstream'): Promise<NatsWorld> {
    const settings: Record<string, string> = mode === 'core' ? { jetstream: 'off' } : {}
    const server = await found.start({ mortal: true, settings })
    const proxy = await TcpProxy.listen()
    const { hostname: host, port } = new URL(server.url)
    proxy.pointTo({ host, port: Number(port) })
    return new NatsWorld(mode, { server, proxy, bus: await connect(proxy, mode) })
  }

  async restart(how: 'drain' | 'kill'): Promise<NatsBus> {
    const [node] = this.#server.nodes
    if (how === 'drain') await this.bus.drain()
    await node!.kill(how === 'drain' ? 'SIGTERM' : 'SIGKILL')
    await this.bus.close()
    await node!.start()
    this.bus = await connect(this.#proxy, this.#mode)
    return this.bus
  }

  async disrupt(how: 'reset' | 'silence' = 'reset'): Promise<void> {
    if (how === 'silence') this.#proxy.silence()
    else this.#proxy.cut()
  }

  async bounce(): Promise<void> {
    const [node] = this.#server.nodes
    await node!.kill()
    await node!.start()
  }

  slow(link: Weather): void {
    this.#proxy.set(link)
  }

  async close(): Promise<void> {
    await this.bus.close()
    await this.#proxy.close()
    await this.#server.stop()
  }
}

function connect(proxy: TcpProxy, mode: 'core' | 'jetstream'): Promise<NatsBus> {
  return connectNatsBus({
    url: `nats://127.0.0.1:${proxy.port}`,
    clock: systemClock,
    random: systemRandom,
    mode,
    pingIntervalMs: PING_INTERVAL_MS,
    reconnectDelayMsMax: 200,
  })
}
