import { type Head, Lane, Operation } from '../../../wire/index.ts'
import type { Admin, Lag, TopicDescription } from '../../index.ts'
import type { Link } from './link.ts'

/** Administration through a node. */
export class RemoteAdmin implements Admin {
  readonly #link: Link

  constructor(link: Link) {
    this.#link = link
  }

  async listTopics(): Promise<readonly string[]> {
    return (await this.#call(Operation.listTopics, {})).topics as readonly string[]
  }

  async describeTopic(topic: string): Promise<TopicDescription> {
    return (await this.#call(Operation.describeTopic, { topic })).description as TopicDescription
  }

  async deleteTopic(topic: string): Promise<void> {
    await this.#call(Operation.deleteTopic, { topic })
  }

  async listGroups(topic: string): Promise<readonly string[]> {
    return (await this.#call(Operation.listGroups, { topic })).groups as readonly string[]
  }

  async deleteGroup(topic: string, group: string): Promise<void> {
    await this.#call(Operation.deleteGroup, { topic, group })
  }

  async lag(topic: string, group?: string): Promise<readonly Lag[]> {
    return (await this.#call(Operation.lag, { topic, group })).lag as readonly Lag[]
  }

  async replayDeadLetters(
    topic: string,
    options: { readonly group?: string; readonly max?: number } = {},
  ): Promise<number> {
    return (await this.#call(Operation.replayDeadLetters, { topic, ...options })).replayed as number
  }

  async #call(operation: number, head: Head): Promise<Head> {
    return (await this.#link.callAgain(operation, { lane: Lane.urgent, head })).head
  }
}
