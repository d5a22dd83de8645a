import type { Bus } from '../bus/index.ts'
import type {
  AgentRecord,
  AgentSelector,
  Answerer,
  AnyChannel,
  AskOptions,
  Channels,
  CommandChannel,
  CommandSender,
  CommandTarget,
  ConsumeOptions,
  Consumption,
  EventChannel,
  KnownTarget,
  Listening,
  MessageHandler,
  NoticeChannel,
  Outcome,
  OutcomeOptions,
  OutcomesOf,
  Processing,
  ProcessOptions,
  PublishOptions,
  PublishReceipt,
  QueryChannel,
  ReceivedMessage,
  SendOptions,
  StoredChannel,
  SubjectFields,
  TelemetryChannel,
  View,
  ViewOptions,
  ViewSource,
} from '../channel/index.ts'
import { checkChannel, checkSelector } from '../channel/index.ts'
import { ClosedError } from '../core/index.ts'
import type { Contract } from './contract.ts'
import type { FabricAgent } from './fabric-agent.ts'
import type { JoinOptions } from './join-agent.ts'
import type { SwarmSide } from './swarm-side.ts'

export interface FabricParts {
  readonly bus: Bus
  readonly channels: Channels
  readonly swarm: SwarmSide
  /** Opens the topics of these channels, unless they are open. */
  readonly open: (channels: readonly AnyChannel[]) => Promise<void>
  readonly openSender: () => Promise<CommandSender>
  readonly join: (options: JoinOptions) => Promise<FabricAgent>
}

/** The contract bound to a bus: what `connect()` gives. Everything here may be used at once, by any number of callers. */
export class Fabric implements AsyncDisposable {
  readonly #parts: FabricParts
  readonly #channels: Channels
  readonly #agents = new Set<FabricAgent>()
  /** What reads or answers on this fabric, by the way to stop it. */
  readonly #running = new Set<Stoppable>()
  #sender: Promise<CommandSender> | undefined
  #ending: Promise<void> | undefined

  /** Use `connect`. */
  constructor(parts: FabricParts) {
    this.#parts = parts
    this.#channels = parts.channels
  }

  /** The bus beneath: topics, groups and lag by its `admin`. Closing it is the fabric's. */
  get bus(): Bus {
    return this.#parts.bus
  }

  /**
   * Opens all topics of a contract at once, rather than each before its first use: channels that share one are told
   * apart from the first message on. Rejects with `unsupported` for what the bus cannot grant.
   */
  async open(contract: Contract): Promise<void> {
    this.#throwIfOver()
    await this.#parts.open(Object.values(contract.channels))
  }

  /** Joins the swarm as an agent. See `JoinOptions`; rejects with `no-responder` without a node. */
  async join(options: JoinOptions): Promise<FabricAgent> {
    this.#throwIfOver()
    const agent = await this.#parts.join(options)
    this.#agents.add(agent)
    void agent.ended.then(() => this.#agents.delete(agent))
    return agent
  }

  /** Who is in the swarm under the selector, sorted by id. Everyone who has not left, without one. */
  async roster(selector: AgentSelector = {}): Promise<readonly AgentRecord[]> {
    this.#throwIfOver()
    checkSelector(selector)
    const roster = await this.#parts.swarm.roster()
    await roster.ready()
    return this.#parts.swarm.heard(roster.select(selector))
  }

  /** One agent, whether it left or not; undefined when it never joined, or long ago. */
  async agent(agentId: string): Promise<AgentRecord | undefined> {
    this.#throwIfOver()
    const roster = await this.#parts.swarm.roster()
    await roster.ready()
    const record = roster.get(agentId)
    return record && (await this.#parts.swarm.heard([record]))[0]
  }

  /** Resolves when the batch that the value joined is stored as the channel asks. All of a batch share one receipt. */
  publish<T>(channel: TelemetryChannel<T>, value: NoInfer<T>, options?: PublishOptions): Promise<PublishReceipt> {
    return this.#channels.publish(channel, value, options)
  }

  /** As `publish`, for what happened: under an id, so that a repeat within the topic's window is not stored again. */
  append<T>(channel: EventChannel<T>, value: NoInfer<T>, options?: PublishOptions): Promise<PublishReceipt> {
    return this.#channels.append(channel, value, options)
  }

  /** A tombstone for the key that these fields name: on a compacted topic it deletes the key. */
  erase<T>(channel: EventChannel<T>, fields: SubjectFields, options?: PublishOptions): Promise<PublishReceipt> {
    return this.#channels.erase(channel, fields, options)
  }

  /** Tells whoever listens now; never waits. */
  notify<T>(channel: NoticeChannel<T>, value: NoInfer<T>, options?: PublishOptions): void {
    this.#channels.notify(channel, value, options)
  }

  /** Waits until a publish on this channel would not be refused as `overloaded`. */
  ready(channel: AnyChannel, options?: { readonly signal?: AbortSignal }): Promise<void> {
    return this.#channels.ready(channel, options)
  }

  /** The handler's return acknowledges, its throw is a retry of that message. Resolves once it reads. */
  async process<T>(
    channel: StoredChannel<T>,
    options: ProcessOptions,
    handler: MessageHandler<T>,
  ): Promise<Processing<T>> {
    this.#throwIfOver()
    const processing = await this.#channels.process(channel, options, handler)
    this.#track({ stop: () => processing.stop(), close: () => processing.close() }, processing.done)
    return processing
  }

  /** Batches for a `for await` loop: asking for the next acknowledges the one before; leaving releases the last. */
  async consume<T>(channel: StoredChannel<T>, options?: ConsumeOptions): Promise<Consumption<T>> {
    this.#throwIfOver()
    const consumption = await this.#channels.consume(channel, options)
    this.#track({ stop: () => consumption.close(), close: () => consumption.close() }, consumption.ended)
    return consumption
  }

  /** Hears notices sent from now on, at most once each. A slow handler loses the oldest. */
  async listen<T>(
    channel: NoticeChannel<T>,
    handler: (message: ReceivedMessage<T>) => unknown,
    options?: { readonly fields?: Readonly<Record<string, string>> },
  ): Promise<Listening<T>> {
    this.#throwIfOver()
    const listening = await this.#channels.listen(channel, handler, options)
    this.#track({ stop: () => listening.stop(), close: () => listening.stop() }, listening.ended)
    return listening
  }

  /** A state folded from events, here and now: `await view.reached(receipt)` reads your own write. */
  async view<S, T>(channels: ViewSource<T>, options: ViewOptions<S, T>): Promise<View<S, T>> {
    this.#throwIfOver()
    const view = await this.#channels.view(channels, options)
    this.#running.add({ stop: () => view.close(), close: () => view.close() })
    return view
  }

  /** Rejects with `no-responder`, `timeout`, `schema-mismatch`, or `handler-failed` as the answerer failed. */
  ask<T, R>(channel: QueryChannel<T, R>, value: NoInfer<T>, options?: AskOptions): Promise<R> {
    return this.#channels.ask(channel, value, options)
  }

  /** Answers questions; resolves to the way to stop. A throw of the answerer fails that question. */
  async answer<T, R>(
    channel: QueryChannel<T, R>,
    answerer: Answerer<T, R>,
    options?: { readonly fields?: SubjectFields },
  ): Promise<() => Promise<void>> {
    this.#throwIfOver()
    const stop = await this.#channels.answer(channel, answerer, options)
    const running = { stop, close: stop }
    this.#running.add(running)
    return () => {
      this.#running.delete(running)
      return stop()
    }
  }

  /**
   * Sends a command to one agent. Resolves to its outcome, whatever it is; rejects with `unknown-agent`,
   * `schema-mismatch`, `intent-reused` when nothing was sent. To several agents, or to whoever the roster has under a
   * selector: one outcome per agent, sorted by agent id.
   */
  async send<T, R, const Target extends CommandTarget>(
    command: CommandChannel<T, R>,
    target: Target & KnownTarget<Target>,
    value: NoInfer<T>,
    options?: SendOptions,
  ): Promise<OutcomesOf<Target, R>> {
    this.#throwIfOver()
    checkChannel('send', command)
    await this.#parts.open([command])
    const sender = await this.#commandSender()
    return sender.send<T, R, Target>(command, target, value, options)
  }

  /** What is known by now of a command, one outcome per agent; an empty list when the node knows no such intent. */
  async outcome(intentId: string, options?: OutcomeOptions): Promise<ReadonlyArray<Outcome<unknown>>> {
    this.#throwIfOver()
    const sender = await this.#commandSender()
    return sender.outcome(intentId, options)
  }

  /** Finishes what was accepted: handlers, outcomes, batches; agents leave; then closes. Idempotent. */
  drain(): Promise<void> {
    this.#ending ??= this.#drain()
    return this.#ending
  }

  /** Closes promptly: what waits is rejected with `closed`. Idempotent. */
  close(): Promise<void> {
    this.#ending ??= this.#close()
    return this.#ending
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.drain()
  }

  async #drain(): Promise<void> {
    const sender = await this.#sender?.catch(() => undefined)
    await finishAll([
      () => [...this.#running].map((running) => running.stop()),
      () => [...this.#agents].map((agent) => agent.leave()),
      () => [sender?.drain()],
      () => [this.#channels.drain()],
      () => [this.#parts.swarm.drain()],
      () => [this.#parts.bus.drain()],
    ])
  }

  async #close(): Promise<void> {
    const sender = await this.#sender?.catch(() => undefined)
    await finishAll([
      () => [...this.#agents].map((agent) => agent.close()),
      () => [...this.#running].map((running) => running.close()),
      () => [sender?.close(), this.#channels.close()],
      () => [this.#parts.swarm.close()],
      () => [this.#parts.bus.close()],
    ])
  }

  /** What has ended by itself need not be stopped. */
  #track(running: Stoppable, ended: Promise<void>): void {
    this.#running.add(running)
    const forget = () => {
      this.#running.delete(running)
    }
    ended.then(forget, forget)
  }

  #commandSender(): Promise<CommandSender> {
    if (this.#sender) return this.#sender
    const opening = this.#parts.openSender()
    this.#sender = opening
    // One that could not be opened is opened anew by the next who sends.
    opening.catch(() => {
      this.#sender = undefined
    })
    return opening
  }

  #throwIfOver(): void {
    if (this.#ending) throw new ClosedError('the fabric')
  }
}

interface Stoppable {
  stop(): Promise<void>
  close(): Promise<void>
}

/** Takes the steps one after the other whatever fails, and then rejects with the first failure: nothing stays open. */
async function finishAll(steps: ReadonlyArray<() => ReadonlyArray<Promise<unknown> | undefined>>): Promise<void> {
  const failures: unknown[] = []
  for (const step of steps) {
    for (const result of await Promise.allSettled(step())) {
      if (result.status === 'rejected') failures.push(result.reason)
    }
  }
  if (failures.length > 0) throw failures[0]
}
