import type { TopicHealth } from '../../../index.ts'
import type { BrokerInfo, TopicInfo } from '../cluster.ts'

/** The replicas of a topic, as the cluster's metadata has them. */
export function topicHealth(topic: string, info: TopicInfo, brokers: ReadonlyMap<number, BrokerInfo>): TopicHealth {
  const nameOf = (node: number) => {
    const broker = brokers.get(node)
    return broker === undefined ? `broker ${node} (gone)` : `broker ${node} (${broker.host}:${broker.port})`
  }
  const partitions = info.partitions.map(({ leader, replicas, inSync }, partition) => ({
    partition,
    leader: leader < 0 ? undefined : nameOf(leader),
    replicas: replicas.map((node) => ({
      server: nameOf(node),
      rack: brokers.get(node)?.rack,
      isInSync: inSync.includes(node),
    })),
  }))
  const racks = new Set([...brokers.values()].map(({ rack }) => rack).filter((rack) => rack !== undefined))
  return {
    topic,
    partitions,
    underReplicated: partitions.filter(({ replicas }) => replicas.some(({ isInSync }) => !isInSync)).length,
    leaderless: partitions.filter(({ leader }) => leader === undefined).length,
    inOneRack: racks.size < 2 ? 0 : partitions.filter(({ replicas }) => isInOneRack(replicas)).length,
  }
}

function isInOneRack(replicas: ReadonlyArray<{ readonly rack: string | undefined }>): boolean {
  return new Set(replicas.map(({ rack }) => rack)).size === 1
}
