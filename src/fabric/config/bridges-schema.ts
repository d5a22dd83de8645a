import { z } from 'zod'

const text = z.string().min(1)
const end = z.strictObject({
  /** A name among `brokers`, or an address. */
  broker: text,
  topic: text,
})

/** Topics moved from one broker to another: `BridgeOptions` says what each field means. */
export const bridgesSchema = z.array(
  z.strictObject({
    name: text.optional(),
    from: end,
    /** Without a topic: that of the source. */
    to: end.partial({ topic: true }),
    subjects: z.array(text).min(1).optional(),
    durability: z.enum(['none', 'written', 'durable', 'replicated', 'quorum-durable', 'safe']).optional(),
    create: z.boolean().optional(),
    start: z.enum(['earliest', 'latest']).optional(),
  }),
)
