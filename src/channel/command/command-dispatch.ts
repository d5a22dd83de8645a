import type { Delivery, Position, Reply, Request } from '../../bus/index.ts'
import type { Clock } from '../../core/index.ts'
import { type CommandRecord, headersFor } from './command-record.ts'
import { encodeHandedOut, type NextRequest } from './handed-out.ts'
import { numberField, parseObject, textField } from './inbox-row.ts'

export interface CommandDispatchOptions {
  readonly clock: Clock
  /** Somebody waits for commands of this topic: it is to be read. */
  readonly onWanted: (topic: string) => void
  /** Commands kept for their agents; beyond it the topic is read no further until some are over. Default 100,000. */
  readonly commandsMax?: number
  /** Their bytes. Default 64 MiB. */
  readonly bytesMax?: number
}

/** A command kept for one agent. Those of one fan-out share the delivery. */
interface Kept {
  readonly delivery: Delivery
  readonly record: CommandRecord
}

interface Lane {
  /** In the order of the log. */
  kept: Kept[]
  /** Questions that wait for the next one. */
  readonly waiting: Set<() => void>
}

const COMMANDS_MAX = 100_000
const BYTES_MAX = 64 * 1024 * 1024
const WAIT_MS_MAX = 30_000
/** What a command holds beside its value, roughly. */
const OVERHEAD_BYTES = 500

/**
 * Hands out the commands of topics whose broker does not address by subject: the node reads each such topic once, and
 * its agents ask for what is theirs, in the order of the log.
 */
export class CommandDispatch {
  readonly #options: Required<CommandDispatchOptions>
  readonly #lanes = new Map<string, Map<string, Lane>>()
  readonly #full = new Set<() => void>()
  readonly #stop = new AbortController()
  #commands = 0
  #bytes = 0

  constructor(options: CommandDispatchOptions) {
    this.#options = { commandsMax: COMMANDS_MAX, bytesMax: BYTES_MAX, ...options }
  }

  /** Keeps a command for its agents. Resolves when there is room for the next one. */
  add(delivery: Delivery, record: CommandRecord, agentIds: readonly string[]): Promise<void> | undefined {
    for (const agentId of agentIds) {
      const lane = this.#lane(agentId, delivery.topic)
      lane.kept.push({ delivery, record })
      this.#count(delivery, 1)
      wake(lane.waiting)
    }
    return this.#isFull ? this.#room() : undefined
  }

  /** There is an outcome, or the deadline is over: it is handed out no more. */
  forget(agentId: string, intentId: string): void {
    const topics = this.#lanes.get(agentId)
    if (topics === undefined) return
    for (const [topic, lane] of topics) {
      for (const { delivery, record } of lane.kept) if (record.intentId === intentId) this.#count(delivery, -1)
      lane.kept = lane.kept.filter(({ record }) => record.intentId !== intentId)
      this.#tidy(agentId, topic)
    }
    if (!this.#isFull) wake(this.#full)
  }

  /** Answers an agent: its next command behind what it has, or an empty reply when none comes in time. */
  async answer({ value }: Request): Promise<Reply> {
    const request = readRequest(value)
    this.#options.onWanted(request.topic)
    const lane = this.#lane(request.agentId, request.topic)
    let next = nextOf(lane, request.after)
    if (next === undefined) {
      await this.#came(lane, request.waitMs)
      next = nextOf(this.#lane(request.agentId, request.topic), request.after)
      this.#tidy(request.agentId, request.topic)
    }
    if (next === undefined) return encodeHandedOut(undefined, {})
    return encodeHandedOut(next.delivery, headersFor(next.delivery.headers, next.record, request.agentId))
  }

  close(): void {
    this.#stop.abort()
    wake(this.#full)
    for (const topics of this.#lanes.values()) for (const lane of topics.values()) wake(lane.waiting)
  }

  #lane(agentId: string, topic: string): Lane {
    const topics = this.#lanes.get(agentId) ?? new Map<string, Lane>()
    const lane = topics.get(topic) ?? { kept: [], waiting: new Set() }
    this.#lanes.set(agentId, topics.set(topic, lane))
    return lane
  }

  /** A lane that holds nothing and that nobody waits at goes. */
  #tidy(agentId: string, topic: string): void {
    const topics = this.#lanes.get(agentId)
    const lane = topics?.get(topic)
    if (lane === undefined || lane.kept.length > 0 || lane.waiting.size > 0) return
    topics!.delete(topic)
    if (topics!.size === 0) this.#lanes.delete(agentId)
  }

  /** Resolves with the next command of the lane, when the time is over, or at the close. */
  async #came(lane: Lane, waitMs: number): Promise<void> {
    if (this.#stop.signal.aborted) return
    const { promise, resolve } = Promise.withResolvers<void>()
    lane.waiting.add(resolve)
    const timer = this.#options.clock.setTimer(resolve, Math.min(waitMs, WAIT_MS_MAX))
    await promise
    timer.cancel()
    lane.waiting.delete(resolve)
  }

  get #isFull(): boolean {
    const { commandsMax, bytesMax } = this.#options
    return !this.#stop.signal.aborted && (this.#commands >= commandsMax || this.#bytes >= bytesMax)
  }

  #room(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#full.add(resolve)
    return promise
  }

  #count({ value }: Delivery, by: 1 | -1): void {
    this.#commands += by
    this.#bytes += by * (OVERHEAD_BYTES + (value?.byteLength ?? 0))
  }
}

function wake(waiting: Set<() => void>): void {
  for (const resolve of waiting) resolve()
  waiting.clear()
}

function nextOf({ kept }: Lane, after: readonly Position[]): Kept | undefined {
  return kept.find(({ delivery: { position } }) =>
    after.every(({ partition, sequence }) => partition !== position.partition || sequence < position.sequence),
  )
}

function readRequest(value: Uint8Array | string): NextRequest {
  const body = parseObject(typeof value === 'string' ? value : Buffer.from(value).toString('utf8'))
  const after = Array.isArray(body.after) ? (body.after as Record<string, unknown>[]) : []
  return {
    agentId: textField(body, 'agentId'),
    topic: textField(body, 'topic'),
    waitMs: numberField(body, 'waitMs'),
    after: after.map((one) => ({ partition: numberField(one, 'partition'), sequence: numberField(one, 'sequence') })),
  }
}
