import type { Clock, Listener, MutualTls, Network, Random, SkeinError } from '../../core/index.ts'
import type { Message, NodeId } from '../../raft/index.ts'
import { FRAME } from './frame-kinds.ts'
import type { FramedConnection } from './framed-connection.ts'
import { FRAME_HEADER_BYTES, sealFrame } from './frames.ts'
import { greet } from './greet.ts'
import { type Greeting, type Identity, PROTOCOL } from './greeting.ts'
import type { KnownPeers } from './known-peers.ts'
import { encodeMessage, type LinkMessage, readMessage } from './message-codec.ts'
import { type AcceptorCounts, PeerAcceptor } from './peer-acceptor.ts'
import { checkPeer } from './peer-check.ts'
import { PeerLink, parseAddress } from './peer-link.ts'

export interface TransportOptions {
  readonly network: Network
  readonly clock: Clock
  readonly random: Random
  readonly own: Identity
  readonly peers: KnownPeers
  /** Where to listen, `host:port`; port 0 lets the system choose. */
  readonly listen: string
  /** Where others reach this member, when that differs. */
  readonly advertise?: string | undefined
  readonly tls?: MutualTls | undefined
  readonly frameBytesMax: number
  /** A peer from which nothing comes back for so long is connected to anew. */
  readonly silentMs: number
}

export interface TransportHandlers {
  /** Throws `bad-input` for what no peer would say; the connection is then cut. */
  onMessage(message: Message): void
  onUnreachable(to: NodeId): void
  /** A peer will not speak with this member, or must not be spoken with. */
  onRefused(peer: NodeId, error: SkeinError): void
  onSnapshotLane(from: NodeId, connection: FramedConnection): void
}

/** How one peer is reached. */
export interface PeerState {
  readonly id: NodeId
  readonly address: string
  readonly connected: boolean
  readonly error: SkeinError | undefined
}

const CONNECT_WITHIN_MS = 2_000
const PENDING_BYTES_MAX = 64 * 1024 * 1024
/** Addresses that were only heard from peers themselves. */
const HEARD_MAX = 64

/**
 * Messages between members over byte streams: one connection to each peer for what is sent to it, and one more for as long as a
 * snapshot travels, so that nothing waits behind it. Nothing here waits, and what cannot be sent is lost and said to be.
 */
export class Transport {
  readonly #options: TransportOptions
  readonly #handlers: TransportHandlers
  readonly #acceptor: PeerAcceptor
  readonly #links = new Map<NodeId, PeerLink>()
  #addresses: ReadonlyMap<NodeId, string> = new Map()
  /** Of peers that this member was not told of: it is new, or they are. */
  readonly #heard = new Map<NodeId, string>()
  #listener: Listener | undefined
  #isClosed = false
  /** The same append goes to several. */
  #lastMessage: Extract<LinkMessage, { readonly type: 'append' }> | undefined
  #lastFrame: readonly Uint8Array[] | undefined

  constructor(options: TransportOptions, handlers: TransportHandlers) {
    this.#options = options
    this.#handlers = handlers
    this.#acceptor = new PeerAcceptor({
      ...options,
      onMessage: (from, body) => this.#received(from, body),
      onPeer: (greeting) => this.#met(greeting),
      onSnapshotLane: (from, connection) => handlers.onSnapshotLane(from, connection),
    })
  }

  /** Rejects with `port-in-use`, `bad-argument`. */
  async listen(): Promise<void> {
    const { network, listen, tls } = this.#options
    this.#listener = await network.listen(parseAddress(listen), { tls, onConnection: this.#acceptor.accept })
  }

  /** Where others reach this member. */
  get address(): string {
    const { advertise } = this.#options
    if (advertise !== undefined) return advertise
    const { host, port } = this.#listener!.address
    return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
  }

  get counts(): AcceptorCounts {
    return this.#acceptor.counts
  }

  /** The members as they are now: links to new ones are made, those to others end. */
  setPeers(addresses: ReadonlyMap<NodeId, string>): void {
    const before = this.#addresses
    this.#addresses = addresses
    for (const [id, link] of this.#links) {
      const isSame = addresses.has(id) && addresses.get(id) === before.get(id)
      if (isSame || (!addresses.has(id) && this.#heard.has(id))) continue
      link.close()
      this.#links.delete(id)
    }
    for (const id of addresses.keys()) this.#link(id)
  }

  peers(): PeerState[] {
    return [...this.#links].map(([id, link]) => {
      return { id, address: this.#addressOf(id) ?? '', connected: link.isConnected, error: link.error }
    })
  }

  #addressOf(id: NodeId): string | undefined {
    return this.#addresses.get(id) ?? this.#heard.get(id)
  }

  #link(id: NodeId): PeerLink | undefined {
    const found = this.#links.get(id)
    if (found !== undefined || this.#isClosed || id === this.#options.own.node) return found
    if (!this.#addressOf(id)) return undefined
    const { clock, random } = this.#options
    const link = new PeerLink({
      clock,
      random,
      dial: () => this.#dial(id, 'messages'),
      pendingBytesMax: PENDING_BYTES_MAX,
      onLost: () => this.#handlers.onUnreachable(id),
      onRefused: (error) => this.#handlers.onRefused(id, error),
    })
    this.#links.set(id, link)
    return link
  }

  async #dial(to: NodeId, lane: Greeting['lane']): Promise<FramedConnection> {
    const { network, own, clock, tls, peers, frameBytesMax } = this.#options
    const address = parseAddress(this.#addressOf(to) ?? '')
    const connection = await network.connect(address, { tls, timeoutMs: CONNECT_WITHIN_MS })
    const greeting: Greeting = { ...own, protocol: PROTOCOL, to, address: this.address, lane }
    const { framed, peer } = await greet(connection, greeting, clock)
    try {
      await checkPeer(peer, own, peers)
    } catch (error) {
      framed.cut()
      throw error
    }
    framed.bytesMax = frameBytesMax
    return framed
  }

  /** A connection of its own for a snapshot. Rejects with what connecting rejects with. */
  openSnapshotLane(to: NodeId): Promise<FramedConnection> {
    return this.#dial(to, 'snapshot')
  }

  #met({ node, address }: Greeting): void {
    if (this.#addresses.has(node) || this.#heard.get(node) === address) return
    if (this.#heard.size >= HEARD_MAX && !this.#heard.has(node)) return
    this.#heard.set(node, address)
    this.#links.get(node)?.close()
    this.#links.delete(node)
  }

  #received(from: NodeId, body: Buffer): void {
    this.#links.get(from)?.heard()
    this.#handlers.onMessage(readMessage(body, { from, to: this.#options.own.node }))
  }

  /** Queues a message for `flush()`. */
  send(message: LinkMessage): void {
    const link = this.#link(message.to)
    if (link === undefined || !link.isConnected) this.#handlers.onUnreachable(message.to)
    else link.send(message.type === 'append' ? this.#encodeAppend(message) : encodeFrameOf(message))
  }

  #encodeAppend(message: Extract<LinkMessage, { readonly type: 'append' }>): readonly Uint8Array[] {
    const last = this.#lastMessage
    if (last !== undefined && areEqual(last, message)) return this.#lastFrame!
    this.#lastMessage = message
    this.#lastFrame = encodeFrameOf(message)
    return this.#lastFrame
  }

  /** Sends what was queued, each peer's in one write. */
  flush(): void {
    for (const link of this.#links.values()) link.flush()
    this.#lastMessage = undefined
    this.#lastFrame = undefined
  }

  /** To be called now and then. */
  cutSilent(): void {
    for (const link of this.#links.values()) link.cutIfSilent(this.#options.silentMs)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const link of this.#links.values()) link.close()
    this.#acceptor.close()
    await this.#listener?.close()
  }
}

function encodeFrameOf(message: LinkMessage): readonly Uint8Array[] {
  const [head, ...entries] = encodeMessage(message, FRAME_HEADER_BYTES + 1)
  head.writeUInt8(FRAME.message, FRAME_HEADER_BYTES)
  return [sealFrame(head, entries), ...entries]
}

/** Entries are never changed, so the first and the last stand for all between. */
function areEqual(
  one: Extract<LinkMessage, { readonly type: 'append' }>,
  other: Extract<LinkMessage, { readonly type: 'append' }>,
): boolean {
  return (
    one.term === other.term &&
    one.prevIndex === other.prevIndex &&
    one.commit === other.commit &&
    one.entries.length === other.entries.length &&
    one.entries[0] === other.entries[0] &&
    one.entries.at(-1) === other.entries.at(-1)
  )
}
