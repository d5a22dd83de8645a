import type { Delivery, Headers } from '../../bus/index.ts'
import { type Clock, matchesFilter } from '../../core/index.ts'
import type { ObjectStore } from '../../objects/index.ts'
import type { Payload } from '../../schema/index.ts'
import { ChunkAssembler, type ChunkSet } from '../payload/chunk-assembler.ts'
import { CHUNK_HEADER, type ChunkMark, parseChunkMark } from '../payload/chunk-header.ts'
import { CLAIM_HEADER, type ClaimMark, parseClaimMark } from '../payload/claim-header.ts'
import { BytesPayload, claimedPayload } from '../payload/claimed-payload.ts'
import { TYPE_HEADER } from '../publish/envelope.ts'
import type { AnyChannel } from '../topics-of.ts'
import { ReceivedMessage } from './received-message.ts'

export interface InboundOptions {
  /** All of one topic. */
  readonly channels: readonly AnyChannel[]
  readonly clock: Clock
  readonly objects: ObjectStore | undefined
  /** The reader's filter lets through only what a single channel's pattern matches. Default true. */
  readonly isFiltered?: boolean
}

/**
 * From deliveries to messages, for one reader: which channel, whole or a chunk, here or in the object store, decoded and
 * checked. What a header says is looked up once for as long as the same headers come.
 */
export class Inbound<T> {
  readonly chunks: ChunkAssembler
  readonly #channels: readonly AnyChannel[]
  readonly #objects: ObjectStore | undefined
  readonly #only: AnyChannel | undefined
  #headers: Headers | undefined
  /** Of `#headers`: undefined when they do not say which channel. */
  #typed: AnyChannel | undefined
  #isForeign = false
  #chunk: ChunkMark | undefined
  #claim: ClaimMark | undefined

  constructor(options: InboundOptions) {
    this.#channels = options.channels
    this.#objects = options.objects
    this.#only = options.channels.length === 1 && options.isFiltered !== false ? options.channels[0] : undefined
    this.chunks = new ChunkAssembler(options.clock)
  }

  /**
   * The message; a promise of it when its bytes must be fetched; undefined when it is none of these channels, or a chunk
   * of which others are missing. Throws or rejects with `schema-mismatch` or `corrupt` for what no retry can mend.
   */
  open(delivery: Delivery): ReceivedMessage<T> | Promise<ReceivedMessage<T>> | undefined {
    const { headers } = delivery
    if (headers !== this.#headers) this.#study(headers)
    if (this.#isForeign) return undefined
    const channel = this.#typed ?? this.#bySubject(delivery)
    if (channel === undefined) return undefined
    if (this.#chunk !== undefined) return this.#openChunk(delivery, { channel, mark: this.#chunk })
    if (this.#claim !== undefined) return this.#openClaim(delivery, { channel, mark: this.#claim })
    return new ReceivedMessage<T>(channel.value.decode(delivery), delivery, channel)
  }

  /** The chunks that a message was made of, when there were any. */
  setOf(delivery: Delivery): ChunkSet | undefined {
    return this.chunks.isEmpty ? undefined : this.chunks.completedBy(delivery)
  }

  #study(headers: Headers): void {
    this.#headers = headers
    const type = headers[TYPE_HEADER]
    this.#typed = this.#channels.find((channel) => channel.type === type)
    this.#isForeign = type !== undefined && this.#typed === undefined
    const chunk = headers[CHUNK_HEADER]
    this.#chunk = chunk === undefined ? undefined : parseChunkMark(chunk)
    const claim = headers[CLAIM_HEADER]
    this.#claim = claim === undefined ? undefined : parseClaimMark(claim)
  }

  #bySubject(delivery: Delivery): AnyChannel | undefined {
    return this.#only ?? this.#channels.find((channel) => matchesFilter(channel.subject.filter, delivery.subject))
  }

  #openChunk(
    delivery: Delivery,
    { channel, mark }: { readonly channel: AnyChannel; readonly mark: ChunkMark },
  ): ReceivedMessage<T> | undefined {
    const set = this.chunks.add(delivery, mark)
    if (set === undefined) return undefined
    return decoded(delivery, { channel, payload: new BytesPayload(this.chunks.join(set)) })
  }

  async #openClaim(
    delivery: Delivery,
    { channel, mark }: { readonly channel: AnyChannel; readonly mark: ClaimMark },
  ): Promise<ReceivedMessage<T>> {
    return decoded(delivery, { channel, payload: await claimedPayload(this.#objects, mark) })
  }
}

function decoded<T>(
  delivery: Delivery,
  { channel, payload }: { readonly channel: AnyChannel; readonly payload: Payload },
): ReceivedMessage<T> {
  return new ReceivedMessage<T>(channel.value.decode(payload), delivery, channel)
}
