import { SkeinError } from '../../../core/index.ts'

/** AMQP 0-9-1 writes names as short strings. */
const NAME_BYTES_MAX = 255

/**
 * What everything is called on the broker. A topic has no space and no brace, a partition is a number, so that no two things
 * can have one name.
 */
export class Names {
  readonly #namespace: string

  constructor(namespace: string) {
    this.#namespace = namespace
  }

  /** The stream that knows which topics and groups there are. */
  get registry(): string {
    return this.#name('topics')
  }

  /** Where requests are addressed. */
  get requests(): string {
    return this.#name('requests')
  }

  /** Everything written to a topic goes through it. */
  exchange(topic: string): string {
    return this.#name(`topic.${topic}`)
  }

  /** The log of one partition. */
  stream(topic: string, partition: number): string {
    return this.#name(`log.${topic}.${partition}`)
  }

  /** Where a group's place in one partition is kept, and who has it decides who reads. `generation`: after dead ones. */
  place(topic: string, partition: number, of: { readonly group: string; readonly generation: number }): string {
    const generation = of.generation === 0 ? '' : `+${of.generation}`
    return this.#name(`place.${topic}.${partition}${generation}{${of.group}}`)
  }

  /** What there is to do for a group in one partition. `id`: of that group's making. */
  work(topic: string, partition: number, of: { readonly group: string; readonly id: string }): string {
    return this.#name(`work.${topic}.${partition}+${of.id}{${of.group}}`)
  }

  /** Where the readers of a group tell each other that they are there. */
  members(topic: string, group: string): string {
    return this.#name(`members.${topic}{${group}}`)
  }

  /** Who answers the requests under a filter. */
  answers(filter: string): string {
    return this.#name(`answers{${filter}}`)
  }

  #name(rest: string): string {
    const name = `${this.#namespace}.${rest}`
    if (Buffer.byteLength(name) <= NAME_BYTES_MAX) return name
    throw new SkeinError(
      'bad-argument',
      `Cannot use "${name.slice(0, 60)}…" on RabbitMQ: a name there has at most ${NAME_BYTES_MAX} bytes; use a shorter topic or group`,
      { details: { bytesMax: NAME_BYTES_MAX } },
    )
  }
}
