import type { Bus, Capabilities, Durability, Headers, TopicSpec } from '../bus/index.ts'
import type { Clock } from '../core/index.ts'
import { loweredTopic } from './lowered-topic.ts'
import { ConflatingSink } from './publish/conflating-sink.ts'
import { envelopeOf } from './publish/envelope.ts'
import { TopicPublisher } from './publish/topic-publisher.ts'
import { type AnyChannel, topicsOf } from './topics-of.ts'

export interface TopicBindingOptions {
  readonly bus: Bus
  readonly clock: Clock
  readonly topic: string
  readonly principal: string | undefined
  /** What `safe` means here, where the broker grants less. */
  readonly safe: Durability | undefined
  /** Says of what the broker refused what it means for these channels. */
  readonly explain: ((error: unknown, channels: readonly AnyChannel[]) => unknown) | undefined
}

/** One topic of the contract on its bus: opened once for all of its channels, with one publisher for all of them. */
export class TopicBinding {
  readonly #options: TopicBindingOptions
  readonly #channels = new Set<AnyChannel>()
  readonly #leanHeaders = new Map<AnyChannel, Headers>()
  #opening: Promise<void> = Promise.resolve()
  #capabilities: Capabilities | undefined
  #publisher: TopicPublisher | undefined
  #conflating: ConflatingSink | undefined

  constructor(options: TopicBindingOptions) {
    this.#options = options
  }

  has(channel: AnyChannel): boolean {
    return this.#channels.has(channel)
  }

  /** Several channels: their messages say which they are. */
  get #isShared(): boolean {
    return this.#channels.size > 1
  }

  get capabilities(): Capabilities | undefined {
    return this.#capabilities
  }

  /** Creates or verifies the topic for these channels together with those opened before. */
  open(channels: readonly AnyChannel[]): Promise<void> {
    const [spec] = topicsOf([...this.#channels, ...channels])
    const opened = this.#opening
      .catch(() => undefined)
      .then(async () => {
        this.#capabilities = await this.#openTopic(spec!, channels)
      })
    for (const channel of channels) this.#channels.add(channel)
    this.#opening = opened
    opened.catch(() => {
      for (const channel of channels) this.#channels.delete(channel)
    })
    return opened
  }

  async #openTopic(spec: TopicSpec, channels: readonly AnyChannel[]): Promise<Capabilities> {
    const { bus, safe, explain } = this.#options
    try {
      return await bus.open(loweredTopic(spec, safe))
    } catch (error) {
      throw explain === undefined ? error : explain(error, channels)
    }
  }

  /** Resolves when the last opening has; all who wait for it go on in the order of their calls. */
  opened(): Promise<void> {
    return this.#opening
  }

  /** The topic must be open. */
  publisher(): TopicPublisher {
    const { bus, clock, topic, principal } = this.#options
    this.#publisher ??= new TopicPublisher({
      topic,
      clock,
      writer: bus.writer(topic, principal === undefined ? {} : { principal }),
    })
    return this.#publisher
  }

  conflatingSink(): ConflatingSink {
    this.#conflating ??= new ConflatingSink(this.#options.topic, this.publisher())
    return this.#conflating
  }

  /** One object for all identities where nothing in it differs: the log encodes the same object once. */
  headersOf(channel: AnyChannel, source: string): Headers {
    if (channel.intent !== 'telemetry') return envelopeOf(channel, { source, isTopicShared: this.#isShared })
    const known = this.#leanHeaders.get(channel)
    if (known !== undefined) return known
    const headers = envelopeOf(channel, { source, isTopicShared: this.#isShared })
    this.#leanHeaders.set(channel, headers)
    return headers
  }

  async drain(): Promise<void> {
    await this.#conflating?.settled()
    await this.#publisher?.drain()
  }

  async close(): Promise<void> {
    await this.#publisher?.close()
  }
}
