import { TcpProxy } from '../../test/services/tcp-proxy.ts'

/** One way from a member to another. */
export interface Way {
  readonly from: number
  readonly to: number
}

/** A proxy for each way between two members: who speaks to whom can be cut for each by itself. */
export class Mesh {
  readonly ids: readonly number[]
  readonly #proxies = new Map<string, TcpProxy>()

  private constructor(ids: readonly number[]) {
    this.ids = ids
  }

  /** `ports`: where each member listens. */
  static async open(ports: ReadonlyMap<number, number>): Promise<Mesh> {
    const mesh = new Mesh([...ports.keys()])
    for (const way of mesh.ways) {
      const proxy = await TcpProxy.listen()
      proxy.pointTo({ host: '127.0.0.1', port: ports.get(way.to)! })
      mesh.#proxies.set(nameOf(way), proxy)
    }
    return mesh
  }

  get ways(): readonly Way[] {
    return this.ids.flatMap((from) => this.ids.filter((to) => to !== from).map((to) => ({ from, to })))
  }

  /** Where `from` reaches the others. */
  addresses(from: number): ReadonlyArray<{ readonly id: number; readonly address: string }> {
    const others = this.ids.filter((id) => id !== from)
    return others.map((to) => ({ id: to, address: `127.0.0.1:${this.#proxies.get(nameOf({ from, to }))!.port}` }))
  }

  /** Nothing passes any more on these; `abruptly`: the connections are reset first, and not left open in silence. */
  block(ways: readonly Way[], { abruptly }: { readonly abruptly: boolean }): void {
    for (const way of ways) {
      const proxy = this.#proxies.get(nameOf(way))!
      proxy.set({ isDeaf: true })
      if (abruptly) proxy.cut()
    }
  }

  /** Everything passes again, over new connections: in the old ones something is missing. */
  heal(): void {
    for (const proxy of this.#proxies.values()) {
      proxy.set({})
      proxy.cut()
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#proxies.values()].map((proxy) => proxy.close()))
  }
}

function nameOf({ from, to }: Way): string {
  return `${from}>${to}`
}
