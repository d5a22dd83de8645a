import { SkeinError } from '../../../core/index.ts'

export type KafkaLibrary = typeof import('@platformatic/kafka')

/** Loads the client library when the first bus needs it. Rejects with `unsupported` saying how to install it. */
export async function loadKafkaLibrary(
  load: () => Promise<KafkaLibrary> = () => import('@platformatic/kafka'),
): Promise<KafkaLibrary> {
  try {
    return await load()
  } catch (cause) {
    throw new SkeinError(
      'unsupported',
      'Cannot connect to Kafka: the package @platformatic/kafka is not installed; run "npm install @platformatic/kafka"',
      { cause },
    )
  }
}
