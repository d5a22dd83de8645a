import { nearest, SkeinError } from '../core/index.ts'
import type { Bus, Lag } from './bus.ts'

/**
 * The lag of all groups on every topic that is stored (an ephemeral one has none), or of one group wherever it reads.
 * Rejects with `not-found` for a group that reads nowhere.
 */
export async function lagEverywhere(bus: Bus, group?: string): Promise<readonly Lag[]> {
  const names = await bus.admin.listTopics()
  const topics = await Promise.all(names.map((name) => bus.admin.describeTopic(name)))
  const stored = topics.filter(({ spec }) => spec.storage !== 'ephemeral')
  const read = group === undefined ? stored : await topicsOf(bus, stored, group)
  return (await Promise.all(read.map(({ spec }) => bus.admin.lag(spec.name, group)))).flat()
}

async function topicsOf<Topic extends { readonly spec: { readonly name: string } }>(
  bus: Bus,
  topics: readonly Topic[],
  group: string,
): Promise<readonly Topic[]> {
  const groups = await Promise.all(topics.map(({ spec }) => bus.admin.listGroups(spec.name)))
  const read = topics.filter((_, index) => groups[index]!.includes(group))
  if (read.length > 0) return read
  const near = nearest(group, groups.flat())
  const hint = near === undefined ? '' : `; did you mean "${near}"?`
  throw new SkeinError('not-found', `Cannot say the lag of group "${group}": it has never read any topic${hint}`, {
    details: { group, ...(near !== undefined && { nearest: near }) },
  })
}
