import type { Delivery, Headers, Position } from '../../../index.ts'
import type { RecordCursor } from '../protocol/record-cursor.ts'

/** What the deliveries of one stored batch share. */
export interface DeliverySource {
  readonly topic: string
  readonly partition: number
  /** Of the assignment under which they were given. */
  readonly generation: number
  readonly cursor: RecordCursor
}

/** A message that still lies in its batch: nothing is decoded until a getter asks. */
export class KafkaDelivery implements Delivery {
  readonly source: DeliverySource
  readonly offset: number
  readonly attempt: number
  readonly #recordStart: number

  /** Of the record that the source's cursor stands on. */
  constructor(source: DeliverySource, attempt: number) {
    this.source = source
    this.offset = source.cursor.offset
    this.attempt = attempt
    this.#recordStart = source.cursor.recordStart
  }

  #record(): RecordCursor {
    const { cursor } = this.source
    cursor.moveTo(this.#recordStart)
    return cursor
  }

  get topic(): string {
    return this.source.topic
  }

  get position(): Position {
    return { partition: this.source.partition, sequence: this.offset }
  }

  get subject(): string {
    return this.#record().subject
  }

  get key(): string | undefined {
    return this.#record().key
  }

  get value(): Uint8Array | null {
    return this.#record().value
  }

  text(): string {
    return this.#record().text
  }

  get headers(): Headers {
    return this.#record().headers()
  }

  get id(): string | undefined {
    return this.#record().id
  }

  get timestampMs(): number {
    return this.#record().timestampMs
  }

  get appendedAtMs(): number {
    return this.#record().appendedAtMs
  }
}
