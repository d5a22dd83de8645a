import type { CallResult, IncomingCall } from '../../../wire/index.ts'
import type { ConnectionContext } from '../connection-context.ts'
import { groupHead, lagHead, parseHead, replayHead, topicHead, topicSpecHead } from '../heads.ts'

type Handler = (call: IncomingCall) => Promise<CallResult>

export interface TopicCalls {
  readonly open: Handler
  readonly describe: Handler
  readonly list: Handler
  readonly delete: Handler
  readonly listGroups: Handler
  readonly deleteGroup: Handler
  readonly lag: Handler
  readonly replayDeadLetters: Handler
}

/** Opening topics and administering them: passed on to the bus. */
export function topicCalls(context: ConnectionContext): TopicCalls {
  const { admin } = context.bus
  const { principal } = context
  const check = (topic: string) => context.authorise?.(principal, 'administer', topic)
  return {
    async open({ head }) {
      const { spec } = parseHead(topicSpecHead, head)
      context.authorise?.(principal, 'open', spec.name)
      return { head: { capabilities: await context.bus.open(spec) } }
    },
    async describe({ head }) {
      const { topic } = parseHead(topicHead, head)
      return { head: { description: await admin.describeTopic(topic) } }
    },
    async list() {
      return { head: { topics: await admin.listTopics() } }
    },
    async delete({ head }) {
      const { topic } = parseHead(topicHead, head)
      check(topic)
      await admin.deleteTopic(topic)
      return {}
    },
    async listGroups({ head }) {
      const { topic } = parseHead(topicHead, head)
      return { head: { groups: await admin.listGroups(topic) } }
    },
    async deleteGroup({ head }) {
      const { topic, group } = parseHead(groupHead, head)
      check(topic)
      await admin.deleteGroup(topic, group)
      return {}
    },
    async lag({ head }) {
      const { topic, group } = parseHead(lagHead, head)
      return { head: { lag: await admin.lag(topic, group) } }
    },
    async replayDeadLetters({ head }) {
      const { topic, ...options } = parseHead(replayHead, head)
      check(topic)
      return { head: { replayed: await admin.replayDeadLetters(topic, options) } }
    },
  }
}
