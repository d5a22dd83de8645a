import { SkeinError } from '../../core/index.ts'
import { type CallResult, type IncomingCall, malformed, Operation, type WireMessage } from '../../wire/index.ts'
import type { ConnectionContext } from './connection-context.ts'
import { Answerers } from './handlers/answerers.ts'
import { ask } from './handlers/ask.ts'
import { Readers } from './handlers/readers.ts'
import { type TopicCalls, topicCalls } from './handlers/topics.ts'
import { Writes } from './handlers/writes.ts'

type Handler = (call: IncomingCall) => Promise<CallResult>

/** One client: what it has open, and who answers its calls. */
export class ClientConnection {
  readonly #readers: Readers
  readonly #answerers: Answerers
  readonly #writes: Writes
  readonly #handlers: ReadonlyMap<number, Handler>

  constructor(context: ConnectionContext) {
    const topics: TopicCalls = topicCalls(context)
    const readers = new Readers(context)
    const answerers = new Answerers(context)
    const writes = new Writes(context)
    this.#readers = readers
    this.#answerers = answerers
    this.#writes = writes
    this.#handlers = new Map<number, Handler>([
      [Operation.openTopic, topics.open],
      [Operation.describeTopic, topics.describe],
      [Operation.listTopics, topics.list],
      [Operation.deleteTopic, topics.delete],
      [Operation.listGroups, topics.listGroups],
      [Operation.deleteGroup, topics.deleteGroup],
      [Operation.lag, topics.lag],
      [Operation.replayDeadLetters, topics.replayDeadLetters],
      [Operation.write, (call) => writes.write(call)],
      [Operation.openReader, (call) => readers.open(call)],
      [Operation.acknowledge, (call) => readers.acknowledge(call)],
      [Operation.settle, (call) => readers.settle(call)],
      [Operation.seek, (call) => readers.seek(call)],
      [Operation.end, (call) => readers.end(call)],
      [Operation.readerLag, (call) => readers.lag(call)],
      [Operation.closeReader, (call) => readers.closeOne(call)],
      [Operation.ask, (call) => ask(context, call)],
      [Operation.openAnswerer, (call) => answerers.open(call)],
      [Operation.closeAnswerer, (call) => answerers.close(call)],
    ])
  }

  /** Runs up to its first wait at once: what comes in order reaches the bus in order. */
  async onCall(call: IncomingCall): Promise<CallResult> {
    const handler = this.#handlers.get(call.operation)
    if (handler === undefined) {
      throw new SkeinError('unsupported', `Cannot do operation ${call.operation}: this node does not know it`)
    }
    return handler(call)
  }

  onCast(cast: WireMessage): void {
    if (cast.operation !== Operation.credit) throw malformed(`its cast ${cast.operation} is unknown`)
    this.#readers.onCredit(cast.head)
  }

  /** Resolves when nothing that the client wrote is under way any more. */
  written(): Promise<void> {
    return this.#writes.settled()
  }

  /** The client is gone. */
  async release(): Promise<void> {
    await Promise.all([this.#readers.closeAll(), this.#answerers.closeAll()])
  }
}
