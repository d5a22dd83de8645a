import type { Intent } from '../bus/index.ts'
import { SkeinError } from '../core/index.ts'

/** What each verb takes: channels by the intent that they were declared with. */
const INTENTS = {
  publish: ['telemetry'],
  append: ['event'],
  erase: ['event'],
  notify: ['notice'],
  listen: ['notice'],
  process: ['telemetry', 'event'],
  consume: ['telemetry', 'event'],
  'open a view': ['telemetry', 'event'],
  ask: ['query'],
  answer: ['query'],
  send: ['command'],
  handle: ['command'],
} satisfies Readonly<Record<string, readonly Intent[]>>

export type ChannelVerb = keyof typeof INTENTS

/** Throws `bad-argument` for what is no channel, and for one of an intent that this verb is not for. */
export function checkChannel(verb: ChannelVerb, channel: unknown): void {
  const intents: readonly unknown[] = INTENTS[verb]
  const { intent, subject } = (channel ?? {}) as { intent?: unknown; subject?: { readonly pattern?: unknown } }
  if (intents.includes(intent)) return
  const what =
    subject?.pattern === undefined
      ? `${channel === undefined ? 'undefined' : 'this'} is no channel`
      : `"${subject.pattern}" is a channel of intent ${intent}`
  const wanted = intents.map((each) => `${each}()`).join(' or ')
  throw new SkeinError('bad-argument', `Cannot ${verb}: ${what}, it must be one declared by ${wanted}`, {
    details: { intent, intents },
  })
}
