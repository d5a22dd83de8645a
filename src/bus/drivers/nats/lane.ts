import { ClosedError, type SkeinError } from '../../../core/index.ts'
import type { AckInbox } from './ack-inbox.ts'
import type { Connection } from './connection.ts'
import { apiError } from './nats-error.ts'
import { publishBatch } from './publish-batch.ts'
import { publishWindow } from './publish-window.ts'
import { type Fate, isTransient, type OutgoingMessage, outcomeUnknown } from './publishing.ts'

const CHUNK_MESSAGES = 1_000
const CHUNK_BYTES = 4 * 1024 * 1024
/** Fewer are answered one by one: a batch is state that the server makes and takes away again. */
const BATCH_MESSAGES_LEAST = 16
const RETRY_DELAY_MS = 20
const RETRY_DELAY_MS_MAX = 1_000

export interface LaneParts {
  readonly connection: Connection
  readonly inbox: AckInbox
  /** For so long the server remembers an id: what has no answer by then is not sent again. */
  readonly resendWithinMs: number
  readonly random: { float(): number }
  /** The stream takes batches that it stores as they come. */
  readonly takesBatches: boolean
}

/** What became of one write in one partition. Indexes are into that write. */
export interface LaneOutcome {
  /** Of the stream; undefined when nothing was stored. */
  readonly lastSequence: number | undefined
  readonly duplicates: readonly number[]
  readonly stored: readonly number[]
  readonly unknown: readonly number[]
  /** Why not all of it was stored. */
  readonly cause: SkeinError | undefined
}

interface Waiting {
  readonly messages: readonly OutgoingMessage[]
  readonly settle: (outcome: LaneOutcome) => void
}

/**
 * One writer's way into one partition: what is written while a chunk is on its way goes together in the next. Only one is
 * on its way at a time, so that nothing overtakes what has to be sent again.
 */
export class Lane {
  readonly #parts: LaneParts
  #queue: Waiting[] = []
  #isSending = false
  #isClosed = false
  /** The greatest sequence this lane knows to be stored. */
  #lastSequence = 0

  constructor(parts: LaneParts) {
    this.#parts = parts
  }

  write(messages: readonly OutgoingMessage[]): Promise<LaneOutcome> {
    const { promise, resolve } = Promise.withResolvers<LaneOutcome>()
    this.#queue.push({ messages, settle: resolve })
    if (!this.#isSending) void this.#sendAll()
    return promise
  }

  /** What waits is rejected; what is on its way becomes unknown when its answer does not come. */
  close(): void {
    this.#isClosed = true
    this.#refuseQueue(new ClosedError('the writer'))
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true
    // Whatever is written in this turn goes together.
    await undefined
    while (this.#queue.length > 0) {
      const chunk = this.#takeChunk()
      const { fates, cause } = await this.#send(chunk.flatMap(({ messages }) => messages))
      let from = 0
      for (const { messages, settle } of chunk) {
        settle(outcomeOf(fates.slice(from, from + messages.length), cause))
        from += messages.length
      }
      if (cause !== undefined && fates.includes(undefined)) this.#refuseQueue(cause)
    }
    this.#isSending = false
  }

  #takeChunk(): Waiting[] {
    let [count, bytes, writes] = [0, 0, 0]
    for (const { messages } of this.#queue) {
      if (writes > 0 && (count + messages.length > CHUNK_MESSAGES || bytes > CHUNK_BYTES)) break
      writes += 1
      count += messages.length
      for (const { payload } of messages) bytes += payload.byteLength
    }
    return this.#queue.splice(0, writes)
  }

  #refuseQueue(cause: SkeinError): void {
    const queue = this.#queue
    this.#queue = []
    for (const { settle } of queue) {
      settle({ lastSequence: undefined, duplicates: [], stored: [], unknown: [], cause })
    }
  }

  /**
   * Sends until every message has an answer. What had none is sent again only while nothing behind it is stored: otherwise
   * it would come to stand behind what was written later.
   */
  async #send(messages: readonly OutgoingMessage[]): Promise<{ fates: Array<Fate | undefined>; cause?: SkeinError }> {
    const { connection, resendWithinMs } = this.#parts
    const knownBefore = this.#lastSequence
    const fates: Array<Fate | undefined> = []
    let firstSentMs: number | undefined
    for (let attempt = 0; ; attempt += 1) {
      const problem = await connection.connected().then(
        () => undefined,
        (error: SkeinError) => error,
      )
      const isLate = firstSentMs !== undefined && connection.clock.monotonicMs() - firstSentMs > resendWithinMs
      if (problem !== undefined || isLate || this.#isClosed) {
        return this.#giveUp(messages, { fates, wasSent: firstSentMs !== undefined, cause: problem })
      }
      firstSentMs ??= connection.clock.monotonicMs()
      const answers = await this.#sendOnce(messages.slice(fates.length), attempt === 0)
      const done = this.#note(messages, { fates, answers, knownBefore: attempt === 0 ? undefined : knownBefore })
      if (done !== undefined) return { fates, ...done }
      await this.#pause(attempt)
    }
  }

  async #sendOnce(messages: readonly OutgoingMessage[], isFirst: boolean): Promise<ReadonlyArray<Fate | undefined>> {
    const { connection, inbox } = this.#parts
    const publish = isFirst && this.#mayBeBatch(messages) ? publishBatch : publishWindow
    try {
      return await publish(messages, { connection, inbox, silenceMs: connection.requestTimeoutMs })
    } catch {
      // The connection closed in between: nothing is known of what was published.
      return messages.map(() => undefined)
    }
  }

  /** Which of a batch's messages were repeats nobody tells: what may be one is sent one by one. */
  #mayBeBatch(messages: readonly OutgoingMessage[]): boolean {
    if (!this.#parts.takesBatches || messages.length < BATCH_MESSAGES_LEAST) return false
    return messages.every(({ userId }) => userId === undefined)
  }

  /** Adds the answers up to the first missing one. Undefined when the rest is to be sent again. */
  #note(
    messages: readonly OutgoingMessage[],
    so: {
      readonly fates: Array<Fate | undefined>
      readonly answers: ReadonlyArray<Fate | undefined>
      readonly knownBefore: number | undefined
    },
  ): { readonly cause?: SkeinError } | undefined {
    const { fates, answers, knownBefore } = so
    const missing = answers.findIndex(needsResend)
    for (const [index, fate] of answers.entries()) {
      const isDue = missing === -1 || index < missing
      if (fate?.state === 'stored') this.#lastSequence = Math.max(this.#lastSequence, fate.sequence)
      if (isDue) fates.push(this.#judge(fate!, messages, { index: fates.length, knownBefore }))
    }
    if (missing === -1) return refusalOf(fates)
    const isOvertaken = answers.slice(missing).some((fate) => fate?.state === 'stored')
    if (!isOvertaken) return undefined
    fates.push(...answers.slice(missing))
    return { cause: outcomeUnknown(answers.filter((fate) => fate === undefined).length) }
  }

  /** A repeat found by the server may be this lane's own first sending: then it is no duplicate. */
  #judge(
    fate: Fate,
    messages: readonly OutgoingMessage[],
    at: { readonly index: number; readonly knownBefore: number | undefined },
  ): Fate {
    if (fate.state !== 'stored' || !fate.duplicate) return fate
    const { userId } = messages[at.index]!
    if (userId === undefined) return { ...fate, duplicate: false }
    if (at.knownBefore === undefined || fate.sequence <= at.knownBefore) return fate
    const isRepeatedHere = messages.slice(0, at.index).some((message) => message.userId === userId)
    return { ...fate, duplicate: isRepeatedHere }
  }

  #giveUp(
    messages: readonly OutgoingMessage[],
    so: { readonly fates: Array<Fate | undefined>; readonly wasSent: boolean; readonly cause: SkeinError | undefined },
  ): { fates: Array<Fate | undefined>; cause: SkeinError } {
    const { fates } = so
    const left = messages.length - fates.length
    const cause = so.cause ?? (so.wasSent ? outcomeUnknown(left) : new ClosedError('the writer'))
    const rest: Fate | undefined = so.wasSent ? undefined : { state: 'refused', error: NOT_SENT }
    for (let index = 0; index < left; index += 1) fates.push(rest)
    return { fates, cause }
  }

  #pause(attempt: number): Promise<void> {
    const { connection, random } = this.#parts
    const limitMs = Math.min(RETRY_DELAY_MS_MAX, RETRY_DELAY_MS * 2 ** Math.min(attempt, 10))
    return connection.clock.sleep(random.float() * limitMs)
  }
}

const NOT_SENT = { code: 0, description: 'it was not sent' }

function needsResend(fate: Fate | undefined): boolean {
  return fate === undefined || (fate.state === 'refused' && isTransient(fate.error))
}

function refusalOf(fates: ReadonlyArray<Fate | undefined>): { readonly cause?: SkeinError } {
  const refused = fates.find((fate) => fate?.state === 'refused')
  return refused?.state === 'refused' ? { cause: apiError('store a message', refused.error) } : {}
}

function outcomeOf(fates: ReadonlyArray<Fate | undefined>, cause: SkeinError | undefined): LaneOutcome {
  let lastSequence: number | undefined
  const [duplicates, stored, unknown]: [number[], number[], number[]] = [[], [], []]
  for (const [index, fate] of fates.entries()) {
    if (fate === undefined) unknown.push(index)
    if (fate?.state !== 'stored') continue
    lastSequence = Math.max(lastSequence ?? 0, fate.sequence)
    if (fate.duplicate) duplicates.push(index)
    else stored.push(index)
  }
  const isWhole = duplicates.length + stored.length === fates.length
  return { lastSequence, duplicates, stored, unknown, cause: isWhole ? undefined : cause }
}
