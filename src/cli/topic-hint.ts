import type { Bus } from '../bus/index.ts'
import { nearest, SkeinError } from '../core/index.ts'

/**
 * What a failed command tells of a topic that is not there: the nearest there is, the command that lists them, and the
 * one that makes it. Any other failure as it is.
 */
export async function withTopicHint(error: unknown, bus: Bus, where: string): Promise<unknown> {
  const topic = missingTopic(error)
  if (topic === undefined) return error
  // A broker that cannot even say its topics must not hide what went wrong first.
  const known = await bus.admin.listTopics().catch(() => [])
  const holder = topicOf(topic, known)
  if (holder !== undefined) return subjectHint(error, { subject: topic, topic: holder })
  const near = nearest(topic, known)
  const meant = near === undefined ? '' : ` Did you mean "${near}"?`
  return new SkeinError(
    'not-found',
    `Cannot use topic "${topic}": there is none of that name.${meant} ` +
      `"skein topics${where}" lists them, "skein topics create ${topic}${where}" makes it`,
    { cause: error, details: { topic, ...(near !== undefined && { nearest: near }) } },
  )
}

/** The topic, of those there are, to which a subject of this name would belong: the deepest. */
function topicOf(subject: string, known: readonly string[]): string | undefined {
  const holders = known.filter((topic) => subject.startsWith(`${topic}.`))
  return holders.sort((one, other) => other.length - one.length)[0]
}

function subjectHint(cause: unknown, { subject, topic }: { readonly subject: string; readonly topic: string }) {
  return new SkeinError(
    'not-found',
    `Cannot use topic "${subject}": there is none of that name, but a topic "${topic}", of which it may be a subject. ` +
      `Name the topic; "skein sub ${topic} --subject '${subject}'" prints that subject alone`,
    { cause, details: { topic: subject, nearest: topic } },
  )
}

function missingTopic(error: unknown): string | undefined {
  if (!(error instanceof SkeinError) || error.code !== 'not-found') return undefined
  const { topic, group } = error.details
  return typeof topic === 'string' && group === undefined ? topic : undefined
}
