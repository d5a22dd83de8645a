/** What a codec reads: a `Delivery` is one. */
export interface Payload {
  /** Null is a tombstone. */
  readonly value: Uint8Array | null
  /** The value as UTF-8 text, without making the bytes first. */
  text(): string
}

/** How values of one type become bytes and come back. One codec serves one schema. */
export interface Codec<T> {
  /** `json-schema`, `bytes`, `avro`, … */
  readonly format: string
  /** Media type, the CloudEvents attribute `datacontenttype`. */
  readonly contentType: string
  /** Names the schema by its content: two equal schemas have equal ids. */
  readonly schemaId: string
  /** The schema in its own language, for documents made from a contract. */
  readonly schema: unknown
  /** Throws `schema-mismatch` naming the path that failed: the value does not reach the bus. */
  encode(value: T): string | Uint8Array
  /** Throws `schema-mismatch` for bytes that are no such value. */
  decode(payload: Payload | Uint8Array): T
}
