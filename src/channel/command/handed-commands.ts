import type { Batch, Bus, Delivery, Position, ReadLimits } from '../../bus/index.ts'
import { type Clock, ClosedError, type Random, SkeinError } from '../../core/index.ts'
import { backoffMs } from './backoff.ts'
import type { CommandSource } from './command-source.ts'
import { COMMAND_NEXT, decodeHandedOut, type NextRequest } from './handed-out.ts'

export interface HandedCommandsOptions {
  readonly bus: Bus
  readonly clock: Clock
  readonly random: Random
  readonly topic: string
  readonly agentId: string
}

/** How long one question waits at the node, and how much longer its answer may take. */
const WAIT_MS = 5_000
const ANSWER_WITHIN_MS = WAIT_MS + 2_000
/** What the same question may get over: the node is away, or its answer was lost. */
const ASK_AGAIN: ReadonlySet<string> = new Set(['timeout', 'connection-lost', 'no-responder'])

/**
 * An agent's commands from a topic that its broker cannot address by subject: the node, which reads it for all agents, is
 * asked for the next one. Nothing is acknowledged: the node hands a command out until there is an outcome or its deadline
 * is over, and a new session of the agent begins with all of them.
 */
export class HandedCommands implements CommandSource {
  readonly #options: HandedCommandsOptions
  readonly #given = new Map<number, Position>()
  readonly #stop = new AbortController()

  constructor(options: HandedCommandsOptions) {
    this.#options = options
  }

  async read({ signal }: ReadLimits = {}): Promise<Batch | null> {
    const { topic } = this.#options
    const stop = signal === undefined ? this.#stop.signal : AbortSignal.any([signal, this.#stop.signal])
    const delivery = await this.#next(stop)
    if (delivery === undefined) return null
    const { position } = delivery
    this.#given.set(position.partition, position)
    return { topic, partition: position.partition, generation: 0, deliveries: [delivery], last: position }
  }

  async acknowledge(): Promise<void> {}

  async settle(): Promise<void> {}

  async close(): Promise<void> {
    this.#stop.abort(new ClosedError(`the commands of "${this.#options.topic}"`))
  }

  async #next(signal: AbortSignal): Promise<Delivery | undefined> {
    const { bus, clock, random, topic, agentId } = this.#options
    const request: NextRequest = { agentId, topic, after: [...this.#given.values()], waitMs: WAIT_MS }
    const question = { subject: COMMAND_NEXT, value: JSON.stringify(request) }
    for (let failures = 0; ; failures += 1) {
      signal.throwIfAborted()
      try {
        return decodeHandedOut(topic, await bus.requests.ask(question, { timeoutMs: ANSWER_WITHIN_MS, signal }))
      } catch (error) {
        if (signal.aborted || !(error instanceof SkeinError && ASK_AGAIN.has(error.code))) throw error
      }
      await clock.sleep(backoffMs(failures, { firstMs: 50, maxMs: 2_000, random }), { signal })
    }
  }
}
