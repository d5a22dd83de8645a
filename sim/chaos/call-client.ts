import { connect, type Socket } from 'node:net'
import { ANSWER, appendFrameOf, CALL, CallFrames, frameOf, type Refusal } from '../members/call-frames.ts'

export type Outcome =
  | { readonly status: 'done'; readonly answer: unknown }
  /** Nothing happened. */
  | { readonly status: 'refused'; readonly leader: number | undefined }
  /** It may have happened, or may yet. */
  | { readonly status: 'unknown' }

const REFUSED: Outcome = { status: 'refused', leader: undefined }
const UNKNOWN: Outcome = { status: 'unknown' }

/** Calls of one client process to one member, over one connection that is made again when it is lost. */
export class CallClient {
  readonly #port: number
  readonly #waiting = new Map<number, (outcome: Outcome) => void>()
  #socket: Socket | undefined
  #connecting: Promise<Socket | undefined> | undefined
  #calls = 0

  constructor(port: number) {
    this.#port = port
  }

  append(command: Uint8Array, withinMs: number): Promise<Outcome> {
    return this.#call((call) => appendFrameOf(call, [command]), withinMs)
  }

  read(key: string, withinMs: number): Promise<Outcome> {
    const keys = Buffer.from(JSON.stringify([key]))
    return this.#call((call) => frameOf(CALL.read, call, keys), withinMs)
  }

  async #call(frame: (call: number) => Buffer, withinMs: number): Promise<Outcome> {
    const socket = this.#socket ?? (await this.#connect())
    if (socket === undefined) return REFUSED
    this.#calls += 1
    const call = this.#calls
    const { promise, resolve } = Promise.withResolvers<Outcome>()
    this.#waiting.set(call, resolve)
    const timer = setTimeout(() => {
      if (this.#waiting.delete(call)) resolve(UNKNOWN)
    }, withinMs)
    socket.write(frame(call))
    const outcome = await promise
    clearTimeout(timer)
    return outcome
  }

  #connect(): Promise<Socket | undefined> {
    this.#connecting ??= this.#dial().finally(() => {
      this.#connecting = undefined
    })
    return this.#connecting
  }

  #dial(): Promise<Socket | undefined> {
    const { promise, resolve } = Promise.withResolvers<Socket | undefined>()
    const socket = connect({ host: '127.0.0.1', port: this.#port, noDelay: true })
    const frames = new CallFrames()
    socket.on('connect', () => {
      this.#socket = socket
      resolve(socket)
    })
    socket.on('data', (chunk) => {
      frames.push(chunk as Buffer, ({ kind, call, rest }) => this.#settle(call, outcomeOf(kind, rest)))
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      resolve(undefined)
      if (this.#socket === socket) this.#lost()
    })
    return promise
  }

  #settle(call: number, outcome: Outcome): void {
    this.#waiting.get(call)?.(outcome)
    this.#waiting.delete(call)
  }

  #lost(): void {
    this.#socket = undefined
    for (const call of [...this.#waiting.keys()]) this.#settle(call, UNKNOWN)
  }

  close(): void {
    this.#socket?.destroy()
  }
}

function outcomeOf(kind: number, rest: Buffer): Outcome {
  if (kind === ANSWER.unknown) return UNKNOWN
  if (kind === ANSWER.refused) return { status: 'refused', leader: (JSON.parse(rest.toString()) as Refusal).leader }
  return { status: 'done', answer: JSON.parse(rest.toString()) }
}
