import type { Admin, Bus } from '../../bus/index.ts'
import { UnsupportedError } from '../../core/index.ts'

export interface BoundAdminParts {
  readonly listTopics: Admin['listTopics']
  /** Rejects with `not-found` for a topic that no broker has. */
  readonly brokerOf: (topic: string) => Promise<{ readonly name: string; readonly bus: Bus }>
  readonly onDeleted: (topic: string) => void
}

/** The administration of several brokers as one: each topic where it lies, and all topics together. */
export function boundAdmin({ listTopics, brokerOf, onDeleted }: BoundAdminParts): Admin {
  const adminOf = async (topic: string) => (await brokerOf(topic)).bus.admin
  return {
    listTopics,
    async health(topic) {
      const { name, bus } = await brokerOf(topic)
      if (bus.admin.health !== undefined) return bus.admin.health(topic)
      throw new UnsupportedError('the health of replicas', `"${topic}" lies on "${name}", which keeps none`)
    },
    async deleteTopic(topic) {
      await (await adminOf(topic)).deleteTopic(topic)
      onDeleted(topic)
    },
    describeTopic: async (topic) => (await adminOf(topic)).describeTopic(topic),
    listGroups: async (topic) => (await adminOf(topic)).listGroups(topic),
    deleteGroup: async (topic, group) => (await adminOf(topic)).deleteGroup(topic, group),
    lag: async (topic, group) => (await adminOf(topic)).lag(topic, group),
    replayDeadLetters: async (topic, options) => (await adminOf(topic)).replayDeadLetters(topic, options),
  }
}
