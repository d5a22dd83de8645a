import { z } from 'zod'
import { checkSubject } from '../../core/index.ts'
import type { Binding } from '../binding/binding.ts'
import { archivesSchema } from './archives-schema.ts'
import { bindSchema, brokersSchema } from './binding-schema.ts'
import { bridgesSchema } from './bridges-schema.ts'
import { raftSchema } from './raft-schema.ts'

const count = z.int().min(1)
const bytes = z.int().min(1024)
const milliseconds = z.int().min(1)

/** What a topic in the configuration file may say; the meaning of each field is `TopicSpec`'s. */
const topic = z.strictObject({
  name: z.string().superRefine((name, context) => {
    const problem = nameProblem(name)
    if (problem !== undefined) context.addIssue(problem)
  }),
  intent: z.enum(['telemetry', 'event', 'command', 'notice', 'query']),
  partitions: count.optional(),
  durability: z.enum(['none', 'written', 'durable', 'replicated', 'quorum-durable', 'safe']).optional(),
  retention: z.strictObject({ ageMs: milliseconds.optional(), bytes: bytes.optional() }).optional(),
  compaction: z.strictObject({ tombstoneMs: milliseconds.optional() }).optional(),
  deduplicationWindowMs: z.int().min(0).optional(),
  ttlMs: milliseconds.optional(),
  messageBytesMax: bytes.optional(),
  sharding: z
    .strictObject({
      level: count.optional(),
      values: z.array(z.string()).optional(),
      leaseMs: milliseconds.optional(),
    })
    .optional(),
})

function nameProblem(name: string): string | undefined {
  try {
    checkSubject(name, 'topic')
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

const topics = z.array(topic).superRefine((listed, context) => {
  const first = new Map<string, number>()
  for (const [index, { name }] of listed.entries()) {
    const before = first.get(name)
    if (before === undefined) first.set(name, index)
    else {
      const message = `topic "${name}" is listed twice, first as topics.${before}; leave one`
      context.addIssue({ code: 'custom', path: [index, 'name'], message })
    }
  }
})

const quota = z.strictObject({
  messagesPerSecond: z.number().positive().optional(),
  bytesPerSecond: z.number().positive().optional(),
  burstSeconds: z.number().positive().optional(),
})

const quotaRules = z
  .strictObject({ each: quota.optional(), named: z.record(z.string().min(1), quota).optional() })
  .prefault({})

/** Every setting of a node with its default: `docs/reference/config.md` explains each, and a test compares the two. */
export const configSchema = z.strictObject({
  /** The data directory, for a node with a log of its own. */
  data: z.string().min(1).optional(),
  listen: z
    .strictObject({
      host: z.string().min(1).default('127.0.0.1'),
      /** 0: the system chooses. */
      port: z.int().min(0).max(65_535).default(7600),
    })
    .prefault({}),
  log: z
    .strictObject({
      sync: z.enum(['group', 'interval', 'os']).default('group'),
      /** For `interval` only. */
      syncIntervalMs: milliseconds.default(50),
      segmentBytes: z
        .int()
        .min(64 * 1024)
        .default(64 * 1024 * 1024),
    })
    .prefault({}),
  limits: z
    .strictObject({
      connections: count.default(10_000),
      subscriptionsPerClient: count.default(1_000),
      pendingBytesPerClient: bytes.default(8 * 1024 * 1024),
      /** Memory for the message ids by which repeats are known, over all topics. */
      idBytes: z
        .int()
        .min(1024 * 1024)
        .default(512 * 1024 * 1024),
      httpBodyBytes: bytes.default(8 * 1024 * 1024),
    })
    .prefault({}),
  /** What clients may publish, by principal, agent and topic: `Quota` says what each field means. */
  quotas: z
    .strictObject({
      delayMsMax: z.int().min(0).default(1_000),
      principals: quotaRules,
      agents: quotaRules,
      topics: quotaRules,
    })
    .prefault({}),
  swarm: z
    .strictObject({
      pulseMs: milliseconds.default(1_000),
      suspectAfterPulses: count.default(3),
      lostAfterPulses: count.default(10),
      laggingSeconds: z.number().positive().default(5),
    })
    .prefault({}),
  shutdown: z
    .strictObject({
      /** How long a drain may take before what is left is cut off. */
      graceMs: milliseconds.default(10_000),
    })
    .prefault({}),
  logLevel: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  /** Topics opened at the start. */
  topics: topics.default([]),
  /** For a node on brokers, and for whoever connects to them. */
  brokers: brokersSchema.optional(),
  bind: bindSchema.optional(),
  /** Topics moved from broker to broker, by `skein up` and by `skein bridge`. */
  bridges: bridgesSchema.default([]),
  /** Topics kept in a directory or in S3, by `skein up` and by `skein archive run`. */
  archives: archivesSchema.default([]),
  /** The replicated logs of which this node is a member. */
  raft: raftSchema.default({}),
})

export type NodeConfig = z.output<typeof configSchema>

/** The brokers that a configuration names; undefined where the node has a log of its own. */
export function bindingOf({ brokers, bind }: NodeConfig): Binding | undefined {
  // Optional keys come out of the schema as undefined, which means the same here.
  return brokers === undefined ? undefined : ({ brokers, bind: bind ?? {} } as unknown as Binding)
}

/** The keys that may stand at a path of the configuration (array indexes as numbers), or none where it takes no keys. */
export function validKeys(path: ReadonlyArray<string | number>): readonly string[] {
  let schema: unknown = configSchema
  for (const step of path) {
    const inner = unwrapped(schema)
    if (inner instanceof z.ZodObject) schema = inner.shape[String(step)]
    else if (inner instanceof z.ZodArray) schema = inner.element
    else if (inner instanceof z.ZodRecord) schema = inner.valueType
    else return []
  }
  const target = unwrapped(schema)
  return target instanceof z.ZodObject ? Object.keys(target.shape) : []
}

/** Dotted paths of every single-valued setting, and whether it is a number: what the environment can set. */
export function scalarSettings(): ReadonlyArray<{ readonly path: readonly string[]; readonly isNumber: boolean }> {
  const found: Array<{ path: readonly string[]; isNumber: boolean }> = []
  const visit = (schema: unknown, path: readonly string[]) => {
    const inner = unwrapped(schema)
    if (inner instanceof z.ZodObject) {
      for (const [key, value] of Object.entries(inner.shape)) visit(value, [...path, key])
    } else if (!(inner instanceof z.ZodArray || inner instanceof z.ZodRecord)) {
      found.push({ path, isNumber: inner instanceof z.ZodNumber })
    }
  }
  visit(configSchema, [])
  return found
}

function unwrapped(schema: unknown): unknown {
  let inner = schema
  for (;;) {
    if (inner instanceof z.ZodPipe) inner = inner.out
    else if (inner instanceof z.ZodDefault || inner instanceof z.ZodPrefault || inner instanceof z.ZodOptional) {
      inner = inner.unwrap()
    } else return inner
  }
}
