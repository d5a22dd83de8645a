import type {
  Answerer,
  Channels,
  CommandChannel,
  CommandHandler,
  EventChannel,
  NoticeChannel,
  PublishOptions,
  PublishReceipt,
  QueryChannel,
  TelemetryChannel,
} from '../channel/index.ts'
import { ClosedError, checkOptions } from '../core/index.ts'
import { AGENT_CHANGE_KEYS, type Agent, type AgentChange } from '../swarm/index.ts'
import type { AgentCommands } from './agent-commands.ts'

export interface FabricAgentParts {
  readonly agent: Agent
  readonly channels: Channels
  readonly commands: AgentCommands
}

/** An agent of the swarm, as `fabric.join()` gives it: what it sends carries its name, and commands reach it. */
export class FabricAgent {
  readonly #agent: Agent
  readonly #commands: AgentCommands
  readonly #root: Channels
  #channels: Channels
  readonly #ended = Promise.withResolvers<void>()
  #ending: Promise<void> | undefined
  #stopAnswers = new Set<() => Promise<void>>()

  /** Use `fabric.join`. */
  constructor(parts: FabricAgentParts) {
    this.#agent = parts.agent
    this.#commands = parts.commands
    this.#root = parts.channels
    this.#channels = parts.channels.as(parts.agent.identity)
    this.fenced.addEventListener('abort', () => void this.close(), { once: true })
  }

  get id(): string {
    return this.#agent.identity.id
  }

  get type(): string {
    return this.#agent.identity.type
  }

  get region(): string {
    return this.#agent.identity.region
  }

  /** Greater with every join of this id. */
  get epoch(): number {
    return this.#agent.identity.epoch
  }

  /** Aborts when a newer epoch took this agent's place: nothing more goes out under its name. */
  get fenced(): AbortSignal {
    return this.#agent.fenced
  }

  /**
   * Takes commands of this kind. Register all handlers in one turn: those start together. The handler's return is the
   * reply, its throw makes the outcome `failed`, a `CommandRejected` makes it `rejected`. Returns the way to stop.
   */
  handle<T, R>(command: CommandChannel<T, R>, handler: CommandHandler<T, R>): () => void {
    this.#throwIfOver()
    return this.#commands.handle(command, handler)
  }

  /** Publishes telemetry: the identity fills `{agentId}`, `{agentType}` and `{region}`; a value that contradicts it is refused. */
  publish<T>(channel: TelemetryChannel<T>, value: NoInfer<T>, options?: PublishOptions): Promise<PublishReceipt> {
    if (this.#isOver) return Promise.reject(this.#overReason())
    return this.#channels.publish(channel, value, options)
  }

  /** Appends an event, with this agent as its source. */
  append<T>(channel: EventChannel<T>, value: NoInfer<T>, options?: PublishOptions): Promise<PublishReceipt> {
    if (this.#isOver) return Promise.reject(this.#overReason())
    return this.#channels.append(channel, value, options)
  }

  /** Tells whoever listens now; never waits. */
  notify<T>(channel: NoticeChannel<T>, value: NoInfer<T>, options?: PublishOptions): void {
    this.#throwIfOver()
    this.#channels.notify(channel, value, options)
  }

  /** Answers questions about this agent: the identity fills the subject. Resolves to the way to stop. */
  async answer<T, R>(channel: QueryChannel<T, R>, answerer: Answerer<T, R>): Promise<() => Promise<void>> {
    this.#throwIfOver()
    const stop = await this.#channels.answer(channel, answerer)
    this.#stopAnswers.add(stop)
    return () => {
      this.#stopAnswers.delete(stop)
      return stop()
    }
  }

  /** Says what changed: subjects carry the new region from then on. Rejects with `fenced`, `bad-argument`. */
  async change(change: AgentChange, options?: { readonly signal?: AbortSignal }): Promise<void> {
    this.#throwIfOver()
    checkOptions('change an agent', change, AGENT_CHANGE_KEYS)
    await this.#agent.change(change, options)
    this.#channels = this.#root.as(this.#agent.identity)
  }

  /** Finishes running commands, then leaves the swarm. Idempotent. */
  leave(): Promise<void> {
    this.#ending ??= this.#leave().finally(() => this.#ended.resolve())
    return this.#ending
  }

  /** Resolves when it has left or was closed, by whoever. */
  get ended(): Promise<void> {
    return this.#ended.promise
  }

  /** Stops at once and without a word: running handlers are aborted, the swarm takes the agent as lost in time. */
  close(): Promise<void> {
    this.#ending ??= this.#close().finally(() => this.#ended.resolve())
    return this.#ending
  }

  async #leave(): Promise<void> {
    try {
      await this.#commands.drain()
      await this.#stopAnswering()
    } finally {
      await this.#agent.leave()
    }
  }

  async #close(): Promise<void> {
    this.#agent.close()
    await this.#commands.close()
    await this.#stopAnswering()
  }

  async #stopAnswering(): Promise<void> {
    const stops = [...this.#stopAnswers]
    this.#stopAnswers.clear()
    await Promise.all(stops.map((stop) => stop()))
  }

  get #isOver(): boolean {
    return this.fenced.aborted || this.#ending !== undefined
  }

  #overReason(): unknown {
    return this.fenced.aborted ? this.fenced.reason : new ClosedError(`agent "${this.id}"`)
  }

  #throwIfOver(): void {
    if (this.#isOver) throw this.#overReason()
  }
}
