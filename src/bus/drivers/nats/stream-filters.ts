import { checkFilter, containsFilter, matchesFilter } from '../../../core/index.ts'

/** Which subjects a reader wants, and who picks them out. */
export interface StreamFilters {
  /** For the server; undefined for everything. */
  readonly server: readonly string[] | undefined
  /** For what the server gives; undefined when all of it is wanted. */
  readonly wants: ((subject: string) => boolean) | undefined
}

/**
 * The server picks where it can. It cannot where filters overlap without one holding the other, nor on a compacted topic,
 * where a subject of the stream stands for a key.
 */
export function streamFilters(filters: readonly string[] | undefined, isCompacted: boolean): StreamFilters {
  if (filters === undefined) return { server: undefined, wants: undefined }
  for (const filter of filters) checkFilter(filter)
  const needed = filters.filter((filter, index) => !isHeldByAnother(filters, filter, index))
  const overlap = needed.some((one, index) => needed.slice(index + 1).some((other) => mayOverlap(one, other)))
  if (!isCompacted && !overlap) return { server: needed, wants: undefined }
  return { server: undefined, wants: (subject) => needed.some((filter) => matchesFilter(filter, subject)) }
}

function isHeldByAnother(filters: readonly string[], filter: string, index: number): boolean {
  return filters.some((other, at) => at !== index && containsFilter(other, filter) && (other !== filter || at < index))
}

/** Whether some subject falls under both. */
function mayOverlap(one: string, other: string): boolean {
  const [left, right] = [one.split('.'), other.split('.')]
  for (let index = 0; index < Math.max(left.length, right.length); index += 1) {
    const [a, b] = [left[index], right[index]]
    if (a === undefined || b === undefined) return false
    if (a === '>' || b === '>') return true
    if (a !== '*' && b !== '*' && a !== b) return false
  }
  return true
}
