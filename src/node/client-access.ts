import { SkeinError } from '../core/index.ts'
import type { Authorise } from '../gateway/websocket/index.ts'
import { PULSES_TOPIC, ROSTER_TOPIC, SWARM_TOPIC } from '../swarm/index.ts'

/** Where only the node decides what is written; agents do report outcomes themselves. */
const NODE_TOPICS = [ROSTER_TOPIC, SWARM_TOPIC, PULSES_TOPIC, 'skein.inbox']
const OWN_PREFIX = 'skein.'

/**
 * What no client of the native protocol may do, whoever it is: write the roster or an inbox past their owner, or answer
 * in the node's name.
 */
export const clientAccess: Authorise = (_principal, verb, subject) => {
  if (!subject.startsWith(OWN_PREFIX)) return
  if (verb === 'answer') throw refused('answer', subject)
  if (verb !== 'publish') return
  if (NODE_TOPICS.some((topic) => subject === topic || subject.startsWith(`${topic}.`))) throw refused('write', subject)
}

function refused(what: string, subject: string): SkeinError {
  return new SkeinError('unauthorised', `Cannot ${what} "${subject}": only the node does`, { details: { subject } })
}
