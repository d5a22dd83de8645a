import { type Clock, type Connection, SkeinError } from '../../core/index.ts'
import type { NodeId } from '../../raft/index.ts'
import { FRAME, GREET_WITHIN_MS, GREETING_BYTES_MAX } from './frame-kinds.ts'
import { FramedConnection } from './framed-connection.ts'
import { encodeFrame } from './frames.ts'
import { decodeGreeting, encodeGreeting, type Greeting, type Identity, type Refusal } from './greeting.ts'
import type { KnownPeers } from './known-peers.ts'
import { checkPeer } from './peer-check.ts'

export interface PeerAcceptorOptions {
  readonly own: Identity
  readonly peers: KnownPeers
  readonly clock: Clock
  /** The largest body of a message. */
  readonly frameBytesMax: number
  /** Whoever throws here cuts the connection. */
  readonly onMessage: (from: NodeId, body: Buffer) => void
  readonly onPeer: (greeting: Greeting) => void
  readonly onSnapshotLane: (from: NodeId, connection: FramedConnection) => void
}

/** Counts of connections that came to nothing. */
export interface AcceptorCounts {
  /** They sent what is no frame, no greeting or no message. */
  malformed: number
  /** They belong to another cluster, or have an id that is not theirs. */
  refused: number
}

const CONNECTIONS_MAX = 256
const LINGER_MS = 1_000

/** Takes in connections: who greets rightly is listened to, everybody else is cut off and counted. */
export class PeerAcceptor {
  readonly counts: AcceptorCounts = { malformed: 0, refused: 0 }
  readonly #options: PeerAcceptorOptions
  readonly #open = new Set<FramedConnection>()
  /** The one that messages of a peer come on: a newer takes its place. */
  readonly #byPeer = new Map<NodeId, FramedConnection>()
  #isClosed = false

  constructor(options: PeerAcceptorOptions) {
    this.#options = options
  }

  readonly accept = (connection: Connection): void => {
    if (this.#isClosed || this.#open.size >= CONNECTIONS_MAX) {
      connection.destroy()
      return
    }
    const silent = () =>
      framed.cut(new SkeinError('malformed-frame', `Cannot speak with ${connection.remote}: it does not greet`))
    const timer = this.#options.clock.setTimer(silent, GREET_WITHIN_MS)
    const framed = new FramedConnection(connection, {
      bytesMax: GREETING_BYTES_MAX,
      onFrame: (body) => {
        timer.cancel()
        this.#greeted(framed, body)
      },
      onEnd: (error) => {
        timer.cancel()
        this.#ended(framed, error)
      },
    })
    this.#open.add(framed)
  }

  #greeted(framed: FramedConnection, body: Buffer): void {
    if (body[0] !== FRAME.greeting) throw unexpected(framed)
    let greeting: Greeting
    try {
      greeting = decodeGreeting(body.subarray(1))
    } catch (error) {
      if (!(error instanceof SkeinError) || error.code !== 'future-version') throw error
      this.#refuse(framed, error)
      return
    }
    framed.handlers = { ...framed.handlers, onFrame: () => fail(framed) }
    void this.#check(framed, greeting)
  }

  async #check(framed: FramedConnection, greeting: Greeting): Promise<void> {
    const { own, peers } = this.#options
    try {
      if (greeting.to !== own.node) throw wrongNode(greeting, own)
      await checkPeer(greeting, own, peers)
    } catch (error) {
      this.#refuse(framed, error as Error)
      return
    }
    if (framed.hasEnded || this.#isClosed) return
    this.#options.onPeer(greeting)
    framed.bytesMax = this.#options.frameBytesMax
    if (greeting.lane === 'messages') this.#listen(framed, greeting.node)
    else this.#options.onSnapshotLane(greeting.node, framed)
    framed.write([encodeFrame(FRAME.answer, encodeGreeting(own))])
  }

  #listen(framed: FramedConnection, from: NodeId): void {
    this.#byPeer.get(from)?.cut()
    this.#byPeer.set(from, framed)
    framed.handlers = {
      ...framed.handlers,
      onFrame: (body) => {
        if (body[0] !== FRAME.message) throw unexpected(framed)
        this.#options.onMessage(from, body.subarray(1))
      },
      onEnd: (error) => {
        if (this.#byPeer.get(from) === framed) this.#byPeer.delete(from)
        this.#ended(framed, error)
      },
    }
  }

  #refuse(framed: FramedConnection, error: Error): void {
    this.counts.refused += 1
    const code = error instanceof SkeinError ? error.code : 'bad-input'
    const refusal = { code: code as Refusal['code'], message: error.message.slice(0, 500) }
    framed.write([encodeFrame(FRAME.answer, encodeGreeting({ refusal }))])
    framed.end()
    // Whoever does not take the hint is cut off.
    this.#options.clock.setTimer(() => framed.cut(), LINGER_MS)
  }

  #ended(framed: FramedConnection, error: Error | undefined): void {
    this.#open.delete(framed)
    if (error instanceof SkeinError && (error.code === 'malformed-frame' || error.code === 'bad-input')) {
      this.counts.malformed += 1
    }
  }

  close(): void {
    this.#isClosed = true
    for (const framed of this.#open) framed.cut()
  }
}

function fail(framed: FramedConnection): never {
  throw unexpected(framed)
}

function unexpected({ remote }: FramedConnection): SkeinError {
  return new SkeinError('malformed-frame', `Cannot read from ${remote}: it sent a frame that does not belong there`)
}

function wrongNode({ to }: Greeting, { node }: Identity): SkeinError {
  return new SkeinError(
    'bad-input',
    `Cannot take a connection for node ${to}: this is node ${node}; correct the addresses`,
  )
}
