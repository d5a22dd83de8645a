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
  const near = nearest(topic, known)
  const meant = near === undefined ? '' : ` Did you mean "${near}"?`
  return new SkeinError(
    'not-found',
    `Cannot use topic "${topic}": there is none of that name.${meant} ` +
      `"skein topics${where}" lists them, "skein topics create ${topic}${where}" makes it`,
    { cause: error, details: { topic, ...(near !== undefined && { nearest: near }) } },
  )
}

function missingTopic(error: unknown): string | undefined {
  if (!(error instanceof SkeinError) || error.code !== 'not-found') return undefined
  const { topic, group } = error.details
  return typeof topic === 'string' && group === undefined ? topic : undefined
}
