import { SkeinError } from '../core/index.ts'

const OWN_PREFIX = 'skein.'

/** Throws `unauthorised` for one of Skein's own topics: what a stranger writes there could break the swarm. */
export function checkNotOwnTopic(topic: string): void {
  if (!topic.startsWith(OWN_PREFIX)) return
  throw new SkeinError(
    'unauthorised',
    `Cannot change the topic "${topic}": those under "${OWN_PREFIX}" are Skein's own`,
    {
      details: { topic },
    },
  )
}
