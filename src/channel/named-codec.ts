import { SkeinError } from '../core/index.ts'
import { type Codec, codecOf, type Payload, type SchemaSource, type ValueOf } from '../schema/index.ts'

export interface CodecUse {
  /** The pattern of the channel. */
  readonly channel: string
  readonly what: 'value' | 'reply'
}

/**
 * The codec of a schema, as a channel uses it: what does not fit is told with the channel's name, for whoever reads the
 * error sees neither the call nor the schema. Throws `bad-argument` for a schema that is none.
 */
export function namedCodec<S extends SchemaSource>(source: S, use: CodecUse): Codec<ValueOf<S>> {
  try {
    return new NamedCodec(codecOf(source), use)
  } catch (error) {
    throw named(error, use, `Cannot declare the ${use.what} of channel "${use.channel}"`)
  }
}

class NamedCodec<T> implements Codec<T> {
  readonly format: string
  readonly contentType: string
  readonly schemaId: string
  readonly schema: unknown
  readonly #inner: Codec<T>
  readonly #use: CodecUse

  constructor(inner: Codec<T>, use: CodecUse) {
    this.format = inner.format
    this.contentType = inner.contentType
    this.schemaId = inner.schemaId
    this.schema = inner.schema
    this.#inner = inner
    this.#use = use
  }

  encode(value: T): string | Uint8Array {
    try {
      return this.#inner.encode(value)
    } catch (error) {
      throw this.#refused(error, 'encode')
    }
  }

  decode(payload: Payload | Uint8Array): T {
    try {
      return this.#inner.decode(payload)
    } catch (error) {
      throw this.#refused(error, 'decode')
    }
  }

  #refused(error: unknown, action: string): unknown {
    const { channel, what } = this.#use
    return named(error, this.#use, `Cannot ${action} a ${what} of channel "${channel}"`)
  }
}

/** What a codec says comes after its own `Cannot …: `, which the channel says better. */
function named(error: unknown, { channel, what }: CodecUse, action: string): unknown {
  if (!(error instanceof SkeinError)) return error
  const why = error.message.replace(/^Cannot [^:]*: /, '')
  const details = { ...error.details, channel, what }
  return new SkeinError(error.code, `${action}: ${why}`, { cause: error, details, retryable: error.retryable })
}
