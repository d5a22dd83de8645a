import { z } from 'zod'

const text = z.string().min(1)

const broker = z.strictObject({
  url: text,
  safe: z.enum(['none', 'written', 'durable', 'replicated', 'quorum-durable']).optional(),
  mode: z.enum(['jetstream', 'core']).optional(),
  replicationFactor: z.int().min(1).optional(),
  syncAlways: z.boolean().optional(),
  token: text.optional(),
  credentials: text.optional(),
  sasl: z
    .strictObject({
      mechanism: z.enum(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']),
      username: text,
      password: text,
    })
    .optional(),
  tls: z.strictObject({ ca: text.optional(), cert: text.optional(), key: text.optional() }).optional(),
  members: z.int().min(1).optional(),
  namespace: text.optional(),
})

/** Brokers by name, each a URL or a URL with settings: `BrokerSettings` says what each means. */
export const brokersSchema = z.record(
  text,
  z.preprocess((given) => (typeof given === 'string' ? { url: given } : given), broker),
)

/** Which broker each intent goes to, by its name. */
export const bindSchema = z.strictObject({
  telemetry: text.optional(),
  event: text.optional(),
  command: text.optional(),
  notice: text.optional(),
  query: text.optional(),
  work: text.optional(),
})
