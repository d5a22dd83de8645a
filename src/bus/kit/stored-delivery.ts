import type { RecordCursor } from '../../log/index.ts'
import type { Delivery, Headers, Position } from '../message.ts'
import { ID_HEADER } from './stored-headers.ts'

/** What the deliveries of one stored batch share. */
export interface DeliverySource {
  readonly topic: string
  readonly partition: number
  /** Of the assignment under which they were given. */
  readonly generation: number
  readonly appendedAtMs: number
  readonly cursor: RecordCursor
}

/**
 * A message that still lies in its batch: nothing is decoded until a getter asks. The cursor is shared by all
 * deliveries of the batch and moved to this record by each getter.
 */
export class StoredDelivery implements Delivery {
  readonly source: DeliverySource
  readonly offset: number
  readonly attempt: number
  readonly #recordStart: number
  #headers: Headers | undefined

  /** Of the record that the source's cursor stands on. */
  constructor(source: DeliverySource, offset: number, attempt: number) {
    this.source = source
    this.offset = offset
    this.attempt = attempt
    this.#recordStart = source.cursor.recordStart
  }

  /** As the constructor, for who has looked at the headers already: they are not compared with others again. */
  static withHeaders(source: DeliverySource, offset: number, attempt: number): StoredDelivery {
    const delivery = new StoredDelivery(source, offset, attempt)
    delivery.#headers = source.cursor.headers()
    return delivery
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
    const record = this.#record()
    return record.isTombstone ? null : record.valueBytes()
  }

  text(): string {
    return this.#record().valueText()
  }

  get headers(): Headers {
    this.#headers ??= this.#record().headers()
    return this.#headers
  }

  get id(): string | undefined {
    return this.#record().header(ID_HEADER)
  }

  get timestampMs(): number {
    return this.#record().timestampMs
  }

  get appendedAtMs(): number {
    return this.source.appendedAtMs
  }

  #record(): RecordCursor {
    const cursor = this.source.cursor
    cursor.moveTo(this.#recordStart)
    return cursor
  }
}
