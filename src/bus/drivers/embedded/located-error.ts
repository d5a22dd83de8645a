import { SkeinError } from '../../../core/index.ts'
import type { Partition } from './partition.ts'

/** Tells a reader of several partitions where its error is, so that it can seek behind: to `details.resumeOffset`. */
export function locatedError(error: unknown, { settings, index }: Partition): unknown {
  if (!(error instanceof SkeinError) || (error.code !== 'corrupt' && error.code !== 'position-gone')) return error
  const details = { ...error.details, topic: settings.name, partition: index }
  return new SkeinError(error.code, error.message, { cause: error, retryable: error.retryable, details })
}
