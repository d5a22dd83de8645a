import { z } from 'zod'
import { type Head, malformed } from '../../wire/index.ts'

/** What a client may say, checked before anything is done with it. */
// Whether a name is a good one is the bus's to say: here it only has to be short.
const name = z.string().max(4_096)
const whole = z.int().nonnegative()
const position = z.object({ partition: whole, sequence: whole })
const headers = z.record(z.string().max(1_024), z.string()).optional()
const durability = z.enum(['none', 'written', 'durable', 'replicated', 'quorum-durable', 'safe'])
const readerId = { reader: whole }

const start = z.union([
  z.enum(['earliest', 'latest']),
  z.object({ timestampMs: z.number() }),
  position,
  z.array(position).max(4_096),
])

const retry = z.object({
  attemptsMax: z.int().positive().optional(),
  delayMs: z.number().nonnegative().optional(),
  delayMsMax: z.number().nonnegative().optional(),
  parkedMax: whole.max(100_000).optional(),
  onDead: z.enum(['continue', 'block']).optional(),
})

const readerCommon = {
  subjects: z.array(name).max(1_000).optional(),
  bufferBytesMax: z.int().positive().optional(),
  principal: name.optional(),
  from: start.optional(),
}

const readerOptions = z.discriminatedUnion('mode', [
  z.object({
    ...readerCommon,
    mode: z.literal('group'),
    group: name,
    retry: retry.optional(),
    revocationWaitMs: z.number().nonnegative().optional(),
  }),
  z.object({ ...readerCommon, mode: z.literal('broadcast'), overflow: z.enum(['wait', 'drop']).optional() }),
])

export const topicSpecHead = z.object({
  spec: z.object({
    name,
    intent: z.enum(['telemetry', 'event', 'command', 'notice', 'query']),
    partitions: z.number().optional(),
    durability: durability.optional(),
    storage: z.enum(['log', 'ephemeral']).optional(),
    retention: z.object({ ageMs: z.number().optional(), bytes: z.number().optional() }).optional(),
    compaction: z.object({ tombstoneMs: z.number().optional() }).optional(),
    deduplicationWindowMs: z.number().optional(),
    ttlMs: z.number().optional(),
    messageBytesMax: z.number().optional(),
    replicationFactor: z.number().optional(),
    minInSyncReplicas: z.number().optional(),
    racks: z.number().optional(),
    compression: z.enum(['none', 'gzip', 'snappy', 'lz4', 'zstd']).optional(),
  }),
})

export const topicHead = z.object({ topic: name })
export const groupHead = z.object({ topic: name, group: name })
export const lagHead = z.object({ topic: name, group: name.optional() })
export const replayHead = z.object({ topic: name, group: name.optional(), max: z.int().positive().optional() })

export const writeHead = z.object({
  topic: name,
  partition: whole,
  producerId: whole,
  sequence: whole,
  // What a Date can say (ECMA-262 §21.4.1.1).
  firstTimestampMs: z.int().min(-8.64e15).max(8.64e15),
  durability: durability.optional(),
  principal: name.optional(),
})

export const openReaderHead = z.object({
  ...readerId,
  topic: name,
  options: readerOptions,
  credit: z.int(),
  epoch: whole,
})

export const acknowledgeHead = z.object({ ...readerId, ...position.shape, generation: whole.optional() })

export const settleHead = z.object({
  ...readerId,
  messages: z.array(z.tuple([whole, whole, z.string()])).max(100_000),
  how: z.enum(['retry', 'release', 'dead', 'expired']),
  generation: whole,
  wholePartition: z.boolean(),
  delayMs: z.number().nonnegative().optional(),
  error: z.string().optional(),
})

export const seekHead = z.object({ ...readerId, to: start, epoch: whole, credit: z.int() })
export const readerHead = z.object(readerId)
export const closeReaderHead = z.object({ ...readerId, how: z.enum(['drain', 'close']) })

export const creditHead = z.object({
  ...readerId,
  bytes: whole,
  epoch: whole,
  number: whole.optional(),
  sequence: whole.optional(),
})

export const askHead = z.object({ subject: name, timeoutMs: z.number(), headers, text: z.boolean() })
export const openAnswererHead = z.object({ answerer: whole, subject: name })
export const closeAnswererHead = z.object({ answerer: whole })
export const replyHead = z.object({ headers, text: z.boolean() })

/** The head as its schema types it. Throws `malformed-frame` naming the field. */
export function parseHead<T>(schema: z.ZodType<T>, head: Head): Defined<T> {
  const result = schema.safeParse(head)
  if (result.success) return result.data as Defined<T>
  const issue = result.error.issues[0]
  throw malformed(`its head's ${issue?.path.join('.') || 'shape'} is wrong: ${issue?.message ?? 'no reason'}`)
}

// JSON has no `undefined`, so what is optional is either there or not: the port's exact optional types hold.
type Defined<T> = T extends readonly unknown[]
  ? { [Key in keyof T]: Defined<T[Key]> }
  : T extends object
    ? { [Key in keyof T]: undefined extends T[Key] ? Defined<Exclude<T[Key], undefined>> : Defined<T[Key]> }
    : T
