import { SkeinError } from '../core/index.ts'

const OWN_PREFIX = 'skein.'

/** Whether a topic or subject is Skein's own. */
export function isOwnTopic(topic: string): boolean {
  return topic.startsWith(OWN_PREFIX)
}

/** Throws `unauthorised` for one of Skein's own topics: what a stranger writes there could break the swarm. */
export function checkNotOwnTopic(topic: string): void {
  if (!isOwnTopic(topic)) return
  throw new SkeinError(
    'unauthorised',
    `Cannot change the topic "${topic}": those under "${OWN_PREFIX}" are Skein's own`,
    {
      details: { topic },
    },
  )
}
