import { createServer, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { connectRemoteBus, type RemoteBus } from '../../src/bus/drivers/remote/index.ts'
import { systemClock, systemRandom } from '../../src/core/system/index.ts'
import { type WebsocketGateway, websocketGateway } from '../../src/gateway/websocket/index.ts'
import type { BusWorld } from '../../testing/index.ts'
import { EmbeddedWorld } from './embedded-world.ts'

/** A client of a node: the native protocol over a loopback socket, an embedded bus on a real disk behind it. */
export class RemoteWorld implements BusWorld {
  bus: RemoteBus
  readonly #node: EmbeddedWorld
  #endpoint: Endpoint

  private constructor(node: EmbeddedWorld, endpoint: Endpoint, bus: RemoteBus) {
    this.#node = node
    this.#endpoint = endpoint
    this.bus = bus
  }

  static async create(): Promise<RemoteWorld> {
    const node = await EmbeddedWorld.onDisk()
    const endpoint = await Endpoint.listen(node)
    return new RemoteWorld(node, endpoint, await endpoint.connect())
  }

  get durability(): 'none' | 'durable' {
    return this.#node.durability
  }

  /** The node and its client both. A kill leaves what the node's disk holds at that moment. */
  async restart(how: 'drain' | 'kill'): Promise<RemoteBus> {
    const [killed, endpoint] = [this.bus, this.#endpoint]
    if (how === 'drain') {
      await killed.drain()
      await endpoint.close(how)
      await this.#node.restart(how)
    } else {
      await this.#node.restart(how)
      await endpoint.close(how)
      await killed.close()
    }
    this.#endpoint = await Endpoint.listen(this.#node)
    this.bus = await this.#endpoint.connect()
    return this.bus
  }

  /** Every connection breaks; the clients find the node again by themselves. */
  async disrupt(): Promise<void> {
    this.#endpoint.cut()
  }

  async close(): Promise<void> {
    await this.bus.close()
    await this.#endpoint.close('kill')
    await this.#node.close()
  }
}

class Endpoint {
  readonly #server: Server
  readonly #gateway: WebsocketGateway
  readonly #sockets = new Set<Socket>()

  private constructor(server: Server, gateway: WebsocketGateway) {
    this.#server = server
    this.#gateway = gateway
    server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
    server.on('upgrade', (request, socket, head) => gateway.handleUpgrade(request, socket, head))
  }

  static async listen(node: EmbeddedWorld): Promise<Endpoint> {
    const gateway = websocketGateway({ bus: node.bus, clock: systemClock, random: systemRandom })
    const server = createServer()
    const endpoint = new Endpoint(server, gateway)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return endpoint
  }

  connect(): Promise<RemoteBus> {
    const { port } = this.#server.address() as AddressInfo
    return connectRemoteBus({ url: `skein://127.0.0.1:${port}`, clock: systemClock, random: systemRandom })
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async close(how: 'drain' | 'kill'): Promise<void> {
    if (how === 'drain') await this.#gateway.drain()
    else this.cut()
    await this.#gateway.close()
    await new Promise((resolve) => {
      this.#server.close(resolve)
      this.cut()
    })
  }
}
