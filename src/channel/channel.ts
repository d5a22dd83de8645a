import type { Intent, RequestedDurability, Sharding, TopicSpec } from '../bus/index.ts'
import {
  checkOptions,
  compilePattern,
  type KeysOf,
  nearest,
  type OptionKeys,
  SkeinError,
  type SubjectPattern,
} from '../core/index.ts'
import type { Codec, SchemaSource } from '../schema/index.ts'
import { namedCodec } from './named-codec.ts'

/** What every declaration says: one intent, one subject pattern, one schema. */
export interface Channel<I extends Intent, T> {
  readonly intent: I
  readonly subject: SubjectPattern
  /** The static prefix of the pattern. Channels of one intent may share it. */
  readonly topic: string
  /** Tells the channels of one topic apart; the CloudEvents attribute `type`. */
  readonly type: string
  /** Its codec. */
  readonly value: Codec<T>
  /** The field, of the pattern or of the value, that orders messages. Without one, the subject orders them. */
  readonly key: string | undefined
  readonly largePayloads: LargePayloads
  /** Only what the declaration said: `topicsOf` merges the channels of a topic. */
  readonly topicSpec: TopicSpec
}

/** What becomes of a value larger than the topic's messages. */
export type LargePayloads =
  /** `message-too-large`. */
  | 'refuse'
  /** Several messages in a row, put together again by the reader; up to 64 MiB. */
  | 'chunk'
  /** The bytes go to the object store, the message carries their reference, size and SHA-256. */
  | 'claim-check'

/** The names in braces of a pattern. */
export type PatternFields<P extends string> = P extends `${string}{${infer F}}${infer Rest}`
  ? F | PatternFields<Rest>
  : never

/** A field of the value or of the pattern. */
export type KeyField<P extends string, T> = PatternFields<P> | (keyof T & string)

/** Settings common to all declarations. */
export interface ChannelOptions<S extends SchemaSource> {
  /** A JSON Schema, by TypeBox or as a literal, or any codec. */
  readonly schema: S
  /** Default: the pattern. */
  readonly type?: string
}

/** Settings of the topic beneath. Channels that share a topic must not contradict each other. */
export interface StoredOptions {
  /** Default 1. More can never become fewer, and key order holds within one partition. */
  readonly partitions?: number
  readonly durability?: RequestedDurability
  readonly retention?: { readonly ageMs?: number; readonly bytes?: number }
  /** Default 1 MiB. */
  readonly messageBytesMax?: number
  /** Default `refuse`. */
  readonly largePayloads?: LargePayloads
  /** The topic may grow by generations, and may be divided by a level of its subjects. Default: neither. */
  readonly sharding?: Sharding
}

export const CHANNEL_KEYS: KeysOf<ChannelOptions<SchemaSource>> = { schema: true, type: true }

export const STORED_KEYS: KeysOf<StoredOptions> = {
  partitions: true,
  durability: true,
  retention: { ageMs: true, bytes: true },
  messageBytesMax: true,
  largePayloads: true,
  sharding: { level: true, values: true, leaseMs: true },
}

interface Declared {
  readonly intent: Intent
  readonly pattern: string
  readonly schema: SchemaSource
  readonly type: string | undefined
  readonly key: string | undefined
  readonly largePayloads?: LargePayloads | undefined
  readonly topic: Omit<TopicSpec, 'name' | 'intent'>
}

/** What all declarations are made with. */
export function declareChannel<I extends Intent, T>(declared: Declared & { readonly intent: I }): Channel<I, T> {
  const subject = compilePattern(declared.pattern)
  const { partitions } = declared.topic
  if (partitions !== undefined && !(Number.isSafeInteger(partitions) && partitions > 0)) {
    throw badDeclaration(declared.pattern, `partitions must be a positive whole number, it is ${partitions}`)
  }
  return {
    intent: declared.intent,
    subject,
    topic: subject.topic,
    type: declared.type ?? declared.pattern,
    value: namedCodec(declared.schema, { channel: declared.pattern, what: 'value' }) as Codec<T>,
    key: declared.key,
    largePayloads: declared.largePayloads ?? 'refuse',
    topicSpec: { name: subject.topic, intent: declared.intent, ...declared.topic },
  }
}

/** Refuses an option that such a declaration does not have. */
export function checkDeclaration(pattern: unknown, options: unknown, keys: OptionKeys): void {
  if (typeof pattern !== 'string') {
    throw new SkeinError('bad-argument', 'Cannot declare a channel: its pattern is missing or no text')
  }
  if (options === undefined) throw badDeclaration(pattern, 'its options are missing; it needs a schema')
  checkOptions(`declare the channel "${pattern}"`, options, keys)
}

/** Refuses a duration that is none. */
export function checkDurationMs(pattern: string, name: string, valueMs: number): void {
  if (Number.isFinite(valueMs) && valueMs > 0) return
  throw badDeclaration(pattern, `${name} must be a positive number of milliseconds, it is ${valueMs}`)
}

/** Refuses a word that is none of these, and one that is missing: as another it would be taken without a sound. */
export function checkWord(pattern: string, name: string, use: { word: unknown; words: readonly string[] }): void {
  const { word, words } = use
  if (typeof word === 'string' && words.includes(word)) return
  const valid = words.map((each) => `"${each}"`).join(', ')
  if (word === undefined) throw badDeclaration(pattern, `${name} is missing; it must be one of ${valid}`)
  const near = typeof word === 'string' ? nearest(word, words) : undefined
  const hint = near === undefined ? `it must be one of ${valid}` : `did you mean "${near}"?`
  throw badDeclaration(pattern, `${name} is ${JSON.stringify(word)}; ${hint}`)
}

/** The error of a declaration that contradicts itself. */
export function badDeclaration(pattern: string, why: string): SkeinError {
  return new SkeinError('bad-argument', `Cannot declare the channel "${pattern}": ${why}`, {
    details: { pattern, why },
  })
}

/** The topic settings among a declaration's options, without the undefined ones. */
export function storedTopic(options: StoredOptions): Omit<TopicSpec, 'name' | 'intent'> {
  const { partitions, durability, retention, messageBytesMax, sharding } = options
  return {
    ...(partitions === undefined ? {} : { partitions }),
    ...(durability === undefined ? {} : { durability }),
    ...(retention === undefined ? {} : { retention }),
    ...(messageBytesMax === undefined ? {} : { messageBytesMax }),
    ...(sharding === undefined ? {} : { sharding }),
  }
}
