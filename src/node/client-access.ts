import { isOwnTopic } from '../bus/index.ts'
import { INBOX_TOPIC, OUTCOMES_TOPIC } from '../channel/index.ts'
import { SkeinError } from '../core/index.ts'
import type { Authorise } from '../gateway/websocket/index.ts'
import { PULSES_TOPIC, ROSTER_TOPIC, SWARM_TOPIC } from '../swarm/index.ts'

/** Where only the node decides what is written; agents do report outcomes themselves. */
const NODE_TOPICS = [ROSTER_TOPIC, SWARM_TOPIC, PULSES_TOPIC, INBOX_TOPIC]
const DEAD_LETTERS = 'skein.dead.'
/** What bridges remember: they are clients like any other. */
const BRIDGES = 'skein.bridges'
/** How topics grow: whoever writes to one must know. */
const GROWTH = 'skein.growth.'
/** Those that clients open too, as the node made them. */
const OPEN_TOPICS = [...NODE_TOPICS, OUTCOMES_TOPIC]

/**
 * What no client of the native protocol may do, whoever it is: write the roster or an inbox past their owner, delete
 * or add one of Skein's own topics, or answer in the node's name. Dead letters may be administered: they are the users'.
 */
export const clientAccess: Authorise = (_principal, verb, subject) => {
  if (!isOwnTopic(subject)) return
  if (verb === 'answer') throw refused('answer', subject)
  if (verb === 'administer' && !subject.startsWith(DEAD_LETTERS) && !subject.startsWith(GROWTH))
    throw refused('administer', subject)
  if (verb === 'open' && !mayOpen(subject)) throw refused('open', subject)
  if (verb !== 'publish') return
  if (NODE_TOPICS.some((topic) => subject === topic || subject.startsWith(`${topic}.`))) throw refused('write', subject)
}

function mayOpen(topic: string): boolean {
  if (topic === BRIDGES || topic.startsWith(`${BRIDGES}.`) || topic.startsWith(DEAD_LETTERS)) return true
  if (topic.startsWith(GROWTH)) return true
  return OPEN_TOPICS.includes(topic)
}

function refused(what: string, subject: string): SkeinError {
  return new SkeinError('unauthorised', `Cannot ${what} "${subject}": only the node does`, { details: { subject } })
}
