import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { NotLeaderError, OutcomeUnknownError } from '../../src/consensus/index.ts'
import { SkeinError } from '../../src/core/index.ts'
import { ANSWER, CALL, type CallFrame, CallFrames, commandsOf, frameOf, type Refusal } from './call-frames.ts'
import type { Replica } from './replica.ts'

const NOTHING = new Uint8Array(0)

/** Takes calls of clients over TCP. A frame of an append is one append of the log, all or none. */
export class CallServer {
  readonly port: number
  readonly #replica: Replica

  private constructor(server: Server, replica: Replica) {
    this.port = (server.address() as AddressInfo).port
    this.#replica = replica
    server.on('connection', (socket) => this.#serve(socket))
  }

  static async listen(replica: Replica, port: number): Promise<CallServer> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const server = createServer({ noDelay: true })
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
    await promise
    return new CallServer(server, replica)
  }

  #serve(socket: Socket): void {
    const frames = new CallFrames()
    const answers = new Answers(socket)
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      frames.push(chunk as Buffer, (frame) => void this.#take(frame, answers))
    })
  }

  async #take({ kind, call, rest }: CallFrame, answers: Answers): Promise<void> {
    try {
      const answer = await (kind === CALL.append
        ? this.#replica.append(commandsOf(rest))
        : this.#replica.read(JSON.parse(rest.toString()) as string[]))
      answers.push(frameOf(ANSWER.done, call, answer === undefined ? NOTHING : Buffer.from(JSON.stringify(answer))))
    } catch (error) {
      answers.push(refusal(call, error))
    }
  }
}

function refusal(call: number, error: unknown): Buffer {
  if (error instanceof OutcomeUnknownError) return frameOf(ANSWER.unknown, call, NOTHING)
  const code = error instanceof SkeinError ? error.code : 'broken'
  const leader = error instanceof NotLeaderError && error.leader !== 0 ? error.leader : undefined
  return frameOf(ANSWER.refused, call, Buffer.from(JSON.stringify({ code, leader } satisfies Refusal)))
}

/** Answers of one turn leave in one write. */
class Answers {
  readonly #socket: Socket
  #frames: Buffer[] = []

  constructor(socket: Socket) {
    this.#socket = socket
  }

  push(frame: Buffer): void {
    this.#frames.push(frame)
    if (this.#frames.length === 1) setImmediate(() => this.#flush())
  }

  #flush(): void {
    const frames = this.#frames
    this.#frames = []
    if (!this.#socket.destroyed) this.#socket.write(frames.length === 1 ? frames[0]! : Buffer.concat(frames))
  }
}
