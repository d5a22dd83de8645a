import type { Bus, Lag } from './bus.ts'

/** The lag of all groups, or of one, on every topic that is stored: an ephemeral one has none. */
export async function lagEverywhere(bus: Bus, group?: string): Promise<readonly Lag[]> {
  const names = await bus.admin.listTopics()
  const topics = await Promise.all(names.map((name) => bus.admin.describeTopic(name)))
  const stored = topics.filter(({ spec }) => spec.storage !== 'ephemeral')
  return (await Promise.all(stored.map(({ spec }) => bus.admin.lag(spec.name, group)))).flat()
}
