import type { Delivery, Headers, Position } from '../../bus/index.ts'
import type { AnyChannel } from '../topics-of.ts'

/** A message of a channel, decoded and checked. */
export class ReceivedMessage<T> {
  readonly value: T
  readonly #delivery: Delivery
  readonly #channel: AnyChannel
  readonly #attemptsHere: number

  /** `attemptsHere`: failures since this delivery, of what cannot be delivered again as a whole. */
  constructor(value: T, delivery: Delivery, channel: AnyChannel, attemptsHere = 0) {
    this.value = value
    this.#delivery = delivery
    this.#channel = channel
    this.#attemptsHere = attemptsHere
  }

  /** The type of its channel: what tells the messages of a view over several channels apart. */
  get type(): string {
    return this.#channel.type
  }

  get topic(): string {
    return this.#delivery.topic
  }

  get subject(): string {
    return this.#delivery.subject
  }

  get key(): string | undefined {
    return this.#delivery.key
  }

  /** Undefined for lean telemetry that was published without one. */
  get id(): string | undefined {
    return this.#delivery.id
  }

  get headers(): Headers {
    return this.#delivery.headers
  }

  /** When it happened, as its publisher says, ms since 1970-01-01 UTC. */
  get timestampMs(): number {
    return this.#delivery.timestampMs
  }

  /** When the broker appended it, by the broker's clock. */
  get appendedAtMs(): number {
    return this.#delivery.appendedAtMs
  }

  /** 1 for the first delivery to this group. */
  get attempt(): number {
    return this.#delivery.attempt + this.#attemptsHere
  }

  get position(): Position {
    return this.#delivery.position
  }

  /** The values of the pattern's fields in its subject (`{ region: 'north', agentId: 'drone-7' }`). */
  fields(): Readonly<Record<string, string>> {
    return this.#channel.subject.parse(this.#delivery.subject) ?? {}
  }

  /** The same message, tried once more. */
  again(): ReceivedMessage<T> {
    return new ReceivedMessage(this.value, this.#delivery, this.#channel, this.#attemptsHere + 1)
  }
}
