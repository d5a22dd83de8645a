import type { Bus, Durability, TopicSpec } from '../bus/index.ts'
import { type AnyChannel, loweredTopic, topicsOf } from '../channel/index.ts'

export interface TopicOpenerOptions {
  readonly bus: Bus
  /** What `safe` means here instead, said by whoever connects; receipts show it. */
  readonly safe: Durability | undefined
  readonly onOpened?: (topic: TopicSpec) => Promise<void>
}

const OWN_PREFIX = 'skein.'

/** Opens each topic once, before its first use. Skein's own topics are the node's to open. */
export class TopicOpener {
  readonly #options: TopicOpenerOptions
  readonly #opened = new Map<string, Promise<void>>()

  constructor(options: TopicOpenerOptions) {
    this.#options = options
  }

  /** Opens the topics of a contract, each with what all its channels ask for. */
  async openAll(topics: readonly TopicSpec[]): Promise<void> {
    await Promise.all(topics.map((topic) => this.#once(topic)))
  }

  /** Opens the topic of a channel, unless it is open. Rejects with `unsupported` when it cannot be what is asked. */
  open(channel: AnyChannel): Promise<void> {
    return this.#opened.get(channel.topic) ?? this.#once(topicsOf([channel])[0]!)
  }

  #once(topic: TopicSpec): Promise<void> {
    if (topic.name.startsWith(OWN_PREFIX) || topic.intent === 'query') return DONE
    const known = this.#opened.get(topic.name)
    if (known) return known
    const opening = this.#open(topic)
    this.#opened.set(topic.name, opening)
    opening.catch(() => this.#opened.delete(topic.name))
    return opening
  }

  async #open(topic: TopicSpec): Promise<void> {
    const lowered = loweredTopic(topic, this.#options.safe)
    await this.#options.bus.open(lowered)
    await this.#options.onOpened?.(lowered)
  }
}

const DONE: Promise<void> = Promise.resolve()
