import type { ReaderOptions } from '../../../bus/index.ts'
import { SkeinError } from '../../../core/index.ts'
import { type CallResult, type Head, type IncomingCall, laneOfIntent } from '../../../wire/index.ts'
import type { ConnectionContext } from '../connection-context.ts'
import {
  acknowledgeHead,
  closeReaderHead,
  creditHead,
  openReaderHead,
  parseHead,
  readerHead,
  seekHead,
  settleHead,
} from '../heads.ts'
import { ReaderPump } from '../reader-pump.ts'

interface OpenReader {
  readonly reader: number
  readonly topic: string
  readonly options: ReaderOptions
  readonly credit: number
  readonly epoch: number
}

/** Memory that one reader may hold at the node, whatever its client asks for. */
const BUFFER_BYTES_MAX = 8 * 1024 * 1024

/** The readers that one client has open. */
export class Readers {
  readonly #context: ConnectionContext
  readonly #pumps = new Map<number, ReaderPump>()
  /** Asked for, and not yet among the pumps. */
  readonly #opening = new Set<number>()

  constructor(context: ConnectionContext) {
    this.#context = context
  }

  async open(call: IncomingCall): Promise<CallResult> {
    const head = parseHead(openReaderHead, call.head)
    this.#checkLimit(head.reader)
    this.#authorise(head.topic, head.options)
    this.#opening.add(head.reader)
    try {
      return await this.#open(head)
    } finally {
      this.#opening.delete(head.reader)
    }
  }

  async #open(head: OpenReader): Promise<CallResult> {
    const { reader: id, topic, credit, epoch } = head
    const options = withinBounds(head.options)
    const { bus, session, clock, precedence } = this.#context
    const reader = bus.rawReader(topic, options)
    try {
      const [{ spec }, start] = await Promise.all([bus.admin.describeTopic(topic), reader.places()])
      const isGroup = options.mode === 'group'
      const pump = new ReaderPump({
        id,
        session,
        precedence,
        clock,
        reader,
        lane: laneOfIntent(spec.intent),
        isGroup,
        credit,
        epoch,
      })
      this.#pumps.set(id, pump)
      pump.start()
      const { ttlMs } = spec
      const ephemeral = spec.storage === 'ephemeral'
      return { head: ephemeral ? { ephemeral, ttlMs } : { start, ttlMs } }
    } catch (error) {
      await reader.close()
      throw error
    }
  }

  async acknowledge(call: IncomingCall): Promise<CallResult> {
    const { reader, generation, ...position } = parseHead(acknowledgeHead, call.head)
    await this.#find(reader).acknowledge(position, generation)
    return {}
  }

  async settle(call: IncomingCall): Promise<CallResult> {
    const { reader, messages, how, ...options } = parseHead(settleHead, call.head)
    const settled = messages.map(([partition, sequence, orderKey]) => ({
      position: { partition, sequence },
      orderKey,
    }))
    const through = await this.#find(reader).settle(settled, how, options)
    return { head: { through } }
  }

  async seek(call: IncomingCall): Promise<CallResult> {
    const { reader, to, epoch, credit } = parseHead(seekHead, call.head)
    const pump = this.#find(reader)
    return { head: { start: await pump.seek(to, { epoch, credit }) } }
  }

  async end(call: IncomingCall): Promise<CallResult> {
    const { reader } = parseHead(readerHead, call.head)
    return { head: { positions: await this.#find(reader).reader.end() } }
  }

  async lag(call: IncomingCall): Promise<CallResult> {
    const { reader } = parseHead(readerHead, call.head)
    return { head: { ...(await this.#find(reader).lag()) } }
  }

  async closeOne(call: IncomingCall): Promise<CallResult> {
    const { reader, how } = parseHead(closeReaderHead, call.head)
    const pump = this.#pumps.get(reader)
    this.#pumps.delete(reader)
    await pump?.close(how)
    return {}
  }

  onCredit(head: Head): void {
    const { reader, ...credit } = parseHead(creditHead, head)
    // A reader that was closed while this was on its way is not there any more.
    this.#pumps.get(reader)?.onCredit(credit)
  }

  async closeAll(): Promise<void> {
    const pumps = [...this.#pumps.values()]
    this.#pumps.clear()
    await Promise.all(pumps.map((pump) => pump.close('lost')))
  }

  #find(id: number): ReaderPump {
    const pump = this.#pumps.get(id)
    if (pump === undefined) throw new SkeinError('not-found', `Cannot use reader ${id}: this connection has none such`)
    return pump
  }

  #checkLimit(id: number): void {
    const { readersMax } = this.#context
    if (this.#pumps.has(id) || this.#opening.has(id))
      throw new SkeinError('bad-argument', `Cannot open reader ${id}: it is open`)
    if (this.#pumps.size + this.#opening.size < readersMax) return
    throw new SkeinError(
      'overloaded',
      `Cannot open another reader: this client has ${readersMax} already; close some, or use wider filters`,
      { details: { readersMax } },
    )
  }

  #authorise(topic: string, options: ReaderOptions): void {
    const { authorise } = this.#context
    const principal = options.principal ?? this.#context.principal
    for (const filter of options.subjects ?? [topic, `${topic}.>`]) authorise?.(principal, 'consume', filter)
  }
}

function withinBounds(options: ReaderOptions): ReaderOptions {
  const { bufferBytesMax } = options
  if (bufferBytesMax === undefined || bufferBytesMax <= BUFFER_BYTES_MAX) return options
  return { ...options, bufferBytesMax: BUFFER_BYTES_MAX }
}
