import { parseDocument } from 'yaml'
import { z } from 'zod'
import { SkeinError } from '../../src/core/index.ts'

const TIME = /^(\d+(?:\.\d+)?)(ms|s|m)$/
const TIME_MS = { ms: 1, s: 1_000, m: 60_000 } as const

/** `250ms`, `10s`, `2m`: in milliseconds afterwards. */
const time = z
  .string()
  .regex(TIME, 'a time is a number and ms, s or m, such as 250ms')
  .transform((text) => {
    const [, amount, unit] = TIME.exec(text)!
    return Number(amount) * TIME_MS[unit as keyof typeof TIME_MS]
  })

const percent = z.number().min(0).max(100)

const select = z
  .strictObject({
    /** `fixed`: `value` nodes; `percent`: that share of them; `all`. */
    mode: z.enum(['fixed', 'percent', 'all']).default('fixed'),
    value: z.number().min(0).default(1),
    role: z.enum(['leader', 'follower', 'any']).default('any'),
  })
  .prefault({})

const timed = { select, at: time.prefault('0s'), duration: time.prefault('10s') }

const faultSchema = z.union([
  z.strictObject({
    kind: z.literal('network'),
    action: z.literal('partition'),
    /** `both`: who is selected against the rest; `one-way`: nothing from them arrives; `bridge`: two halves that only the first of them still reaches; `isolate`: each of them alone. */
    direction: z.enum(['both', 'one-way', 'bridge', 'isolate']).default('both'),
    ...timed,
  }),
  z.strictObject({
    kind: z.literal('network'),
    action: z.enum(['loss', 'reorder']),
    percent,
    ...timed,
  }),
  z.strictObject({
    kind: z.literal('network'),
    action: z.literal('duplicate'),
    percent,
    /** The second copy comes up to this much later. */
    late: time.prefault('0s'),
    ...timed,
  }),
  z.strictObject({ kind: z.literal('network'), action: z.literal('latency'), latency: time, ...timed }),
  z.strictObject({
    kind: z.literal('network'),
    action: z.literal('clog'),
    /** Of the selected: what they send, or what is sent to them. */
    way: z.enum(['out', 'in']).default('out'),
    ...timed,
  }),
  z.strictObject({ kind: z.literal('network'), action: z.literal('queue'), value: z.int().min(1), ...timed }),
  z.strictObject({
    kind: z.literal('io'),
    action: z.literal('fault'),
    methods: z.array(z.enum(['fdatasync', 'write'])).min(1),
    /** 5: EIO, 28: ENOSPC. */
    errno: z.union([z.literal(5), z.literal(28)]),
    percent: percent.default(100),
    ...timed,
  }),
  z.strictObject({ kind: z.literal('io'), action: z.literal('latency'), latency: time, ...timed }),
  z.strictObject({
    kind: z.literal('io'),
    action: z.literal('corrupt'),
    methods: z.array(z.enum(['read', 'write'])).min(1),
    percent,
    ...timed,
  }),
  z.strictObject({ kind: z.literal('io'), action: z.literal('misdirect'), percent, ...timed }),
  z.strictObject({ kind: z.literal('process'), action: z.enum(['crash', 'pause', 'replace', 'upgrade']), ...timed }),
  /** Clocks of the selected run fast or slow by up to this. */
  z.strictObject({ kind: z.literal('clock'), action: z.literal('skew'), percent, ...timed }),
  z.strictObject({ kind: z.literal('clock'), action: z.literal('jump'), byMs: z.number(), ...timed }),
  z.strictObject({
    kind: z.literal('raft'),
    action: z.enum(['snapshot', 'purge', 'transfer', 'add-learner', 'promote', 'demote', 'remove', 'joint']),
    ...timed,
  }),
])

const planSchema = z.strictObject({
  name: z.string().min(1),
  seed: z.int().min(0).optional(),
  /** What must hold before the first fault and after the last. */
  steadyState: z
    .array(z.strictObject({ metric: z.string(), op: z.enum(['==', '<', '<=', '>', '>=']), value: z.number() }))
    .default([]),
  faults: z.array(faultSchema),
  abort: z.strictObject({ maxDuration: time }).optional(),
  heal: z.strictObject({ within: time }).prefault({ within: '30s' }),
  verify: z
    .array(z.enum(['no-acked-loss', 'order-per-key', 'linearizable', 'effect-once']))
    .default(['no-acked-loss', 'linearizable', 'effect-once']),
})

/** One fault: what is done to whom, from when, for how long. Times in milliseconds. */
export type Fault = z.output<typeof faultSchema>

/** A chaos experiment, the same for a simulation and for real processes. Times in milliseconds. */
export type FaultPlan = z.output<typeof planSchema>

/** Reads a plan from YAML. Throws `bad-config`, naming line, field and what is expected. */
export function parseFaultPlan(text: string, name = 'fault plan'): FaultPlan {
  const document = parseDocument(text, { prettyErrors: true })
  const [broken] = document.errors
  if (broken !== undefined) throw refused(name, `it is no YAML: ${broken.message}`, broken)
  const parsed = planSchema.safeParse(document.toJS())
  if (parsed.success) return parsed.data
  const explain = (issue: z.core.$ZodIssue) => {
    const node = document.getIn(issue.path, true) as { readonly range?: readonly number[] } | undefined
    const line = text.slice(0, node?.range?.[0] ?? 0).split('\n').length
    return `line ${line}, ${issue.path.join('.') || 'the plan'}: ${reason(issue)}`
  }
  throw refused(name, parsed.error.issues.map(explain).join('; '), parsed.error)
}

/** Of a union the alternative that was meant is the one with the fewest complaints. */
function reason(issue: z.core.$ZodIssue): string {
  if (issue.code !== 'invalid_union') return issue.message
  const isAbout = (issues: readonly z.core.$ZodIssue[], field: string) => issues.some(({ path }) => path[0] === field)
  const meant = issue.errors.filter((issues) => !isAbout(issues, 'kind') && !isAbout(issues, 'action'))
  const [best] = meant.sort((one, other) => one.length - other.length)
  if (best !== undefined) return best.map(({ path, message }) => `${path.join('.')}: ${message}`).join(', ')
  const ofKind = issue.errors.filter((issues) => !isAbout(issues, 'kind'))
  if (ofKind.length === 0) return 'kind must be network, io, process, clock or raft'
  return `action: ${ofKind.flatMap((issues) => issues.filter(({ path }) => path[0] === 'action').map((one) => one.message)).join('; or ')}`
}

function refused(name: string, why: string, cause: unknown): SkeinError {
  return new SkeinError('bad-config', `Cannot use ${name}: ${why}`, { cause })
}
