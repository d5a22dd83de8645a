import type { Service } from '../../test/services/service.ts'
import type { TcpProxy, Weather } from '../../test/services/tcp-proxy.ts'

export interface ProxiedServerParts {
  readonly service: Service
  readonly proxy: TcpProxy
  /** A kill of the world kills the broker too, not only its client. */
  readonly killsBroker: boolean
}

/** A broker behind a proxy of ours: what happens to it, and to the way there, in the worlds of a run. */
export class ProxiedServer {
  readonly service: Service
  readonly proxy: TcpProxy
  readonly #killsBroker: boolean

  constructor({ service, proxy, killsBroker }: ProxiedServerParts) {
    this.service = service
    this.proxy = proxy
    this.#killsBroker = killsBroker
    const { hostname: host, port } = new URL(service.url)
    proxy.pointTo({ host, port: Number(port) })
  }

  /** The client first: what it would still have said is never heard. */
  async kill(): Promise<void> {
    this.proxy.cut()
    if (this.#killsBroker) await this.bounce()
  }

  disrupt(how: 'reset' | 'silence'): void {
    if (how === 'silence') this.proxy.silence()
    else this.proxy.cut()
  }

  /** Killed, and started again on what it had stored. */
  async bounce(): Promise<void> {
    const [node] = this.service.nodes
    await node!.kill()
    await node!.start()
  }

  slow(link: Weather): void {
    this.proxy.set(link)
  }

  async stop(): Promise<void> {
    await this.service.stop()
    await this.proxy.close()
  }
}
