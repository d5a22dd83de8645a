import { SkeinError } from '../../core/index.ts'
import type { Admin, Bus, Lag, TopicDescription, TopicHealth } from '../bus.ts'
import { deadLetterTopic, topicOfDeadLetters } from '../kit/index.ts'
import { backlog, groupsOf, lagIn, newestReadBy } from './backlog.ts'
import type { Part } from './generations.ts'
import { grownTopic, growthTopic, isPartOf } from './inner-names.ts'
import { describeLetters } from './letters.ts'
import type { ShardedTopic } from './sharded-topic.ts'

export interface ShardedAdminParts {
  readonly bus: Bus
  /** Undefined for a topic that cannot grow. */
  readonly find: (topic: string) => Promise<ShardedTopic | undefined>
  readonly onDeleted: (topic: string) => Promise<void>
}

/** Sharded topics as one each; everything else as the bus has it. */
export function shardedAdmin({ bus, find, onDeleted }: ShardedAdminParts): Admin {
  const { admin } = bus
  const health = admin.health?.bind(admin)
  const whoseLetters = async (name: string) => {
    const of = topicOfDeadLetters(name)
    return of === undefined ? undefined : find(of)
  }
  return {
    listTopics: async () => shown(await admin.listTopics()),
    async describeTopic(name) {
      const letters = await whoseLetters(name)
      if (letters !== undefined) return (await describeLetters(bus, letters)) ?? admin.describeTopic(name)
      const topic = await find(name)
      return topic === undefined ? admin.describeTopic(name) : describe(bus, topic)
    },
    ...(health !== undefined && {
      health: async (name: string) => {
        const topic = await find(name)
        return topic === undefined ? health(name) : healthOf(topic, health)
      },
    }),
    async deleteTopic(name) {
      const topic = await find(name)
      if (topic === undefined) return admin.deleteTopic(name)
      for (const part of partsOf(topic)) await admin.deleteTopic(topic.innerName(part))
      await onDeleted(name)
      await admin.deleteTopic(growthTopic(name))
    },
    async listGroups(name) {
      const topic = await find(name)
      if (topic === undefined) return admin.listGroups(name)
      const names = await Promise.all(topic.generations.begun.map((generation) => groupsOf(bus, topic, generation)))
      return [...new Set(names.flat())].sort()
    },
    async deleteGroup(name, group) {
      const topic = await find(name)
      if (topic === undefined) return admin.deleteGroup(name, group)
      for (const part of partsOf(topic)) {
        const inner = topic.innerName(part)
        if ((await admin.listGroups(inner)).includes(group)) await admin.deleteGroup(inner, group)
      }
    },
    async lag(name, group) {
      const topic = await find(name)
      if (topic === undefined) return admin.lag(name, group)
      const groups = group === undefined ? await this.listGroups(name) : [group]
      return (await Promise.all(groups.map((one) => lagOf(bus, topic, one)))).flat()
    },
    async replayDeadLetters(name, options = {}) {
      const topic = await find(name)
      if (topic === undefined) return admin.replayDeadLetters(name, options)
      let left = options.max ?? Number.MAX_SAFE_INTEGER
      let replayed = 0
      for (const part of partsOf(topic)) {
        if (left <= 0) break
        const count = await admin.replayDeadLetters(topic.innerName(part), { ...options, max: left })
        replayed += count
        left -= count
      }
      return replayed
    },
  }
}

/** Parts, and what tells of growth, are no topics to be shown by themselves. */
function shown(names: readonly string[]): readonly string[] {
  const sharded = new Set(names.flatMap((name) => grownTopic(name) ?? []))
  const all = names.flatMap((name) => {
    const whole = topicOfDeadLetters(name) ?? name
    if (!isPartOf(whole, sharded)) return grownTopic(name) === undefined ? [name] : []
    return whole === name ? [] : [deadLetterTopic(whole.slice(whole.indexOf('.') + 1))]
  })
  return [...new Set([...all, ...sharded])].sort()
}

function partsOf(topic: ShardedTopic): readonly Part[] {
  return topic.generations.all.flatMap(({ parts }) => parts)
}

async function describe(bus: Bus, topic: ShardedTopic): Promise<TopicDescription> {
  const { begun } = topic.generations
  const newest = begun.at(-1)!
  const { spec, capabilities } = await bus.admin.describeTopic(topic.innerName(newest.parts[0]!))
  const partitions = (await Promise.all(begun.map((generation) => backlog(bus, topic, generation)))).flat()
  return {
    spec: { ...spec, name: topic.name, sharding: topic.sharding },
    capabilities: topic.capabilitiesOf(capabilities),
    partitions: partitions.map(({ start, end, bytes }) => ({ partition: end.partition, start, end, bytes })),
  }
}

/** What a group has not done, in all generations: before the one it reads nothing, behind that everything. */
async function lagOf(bus: Bus, topic: ShardedTopic, group: string): Promise<Lag[]> {
  const known = await newestReadBy(bus, topic, group)
  if (known === undefined) {
    const text = `Cannot say the lag of group "${group}" on "${topic.name}": it has never read there`
    throw new SkeinError('not-found', text, { details: { topic: topic.name, group } })
  }
  const all: Lag[] = []
  for (const generation of topic.generations.begun.filter(({ number }) => number >= known)) {
    for (const part of generation.parts) {
      const lags = generation.number === known ? await lagIn(bus, topic, { part, group }) : undefined
      all.push(...(lags ?? (await wholeLag(bus, topic, { generation, part, group }))))
    }
  }
  return all
}

async function wholeLag(
  bus: Bus,
  topic: ShardedTopic,
  at: { readonly generation: Parameters<typeof backlog>[2]; readonly part: Part; readonly group: string },
): Promise<Lag[]> {
  const partitions = await backlog(bus, topic, at.generation, [at.part])
  return partitions.map(({ end, messages }) => {
    return {
      topic: topic.name,
      group: at.group,
      partition: end.partition,
      messages,
      seconds: messages === 0 ? 0 : undefined,
    }
  })
}

async function healthOf(topic: ShardedTopic, health: (name: string) => Promise<TopicHealth>): Promise<TopicHealth> {
  const all = await Promise.all(
    partsOf(topic).map(async (part) => {
      const found = await health(topic.innerName(part))
      const partitions = found.partitions.map((one) => ({ ...one, partition: part.firstPartition + one.partition }))
      return { ...found, partitions }
    }),
  )
  const sum = (count: (one: TopicHealth) => number) => all.reduce((total, one) => total + count(one), 0)
  return {
    topic: topic.name,
    partitions: all.flatMap(({ partitions }) => partitions),
    underReplicated: sum((one) => one.underReplicated),
    leaderless: sum((one) => one.leaderless),
    inOneRack: sum((one) => one.inOneRack),
  }
}
