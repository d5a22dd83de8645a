import { type Clock, SkeinError } from '../../../core/index.ts'
import { Group } from './group.ts'
import type { GroupState } from './group-state.ts'
import type { LogTopic } from './topic.ts'

/** The groups that have readers now. */
export class GroupRegistry {
  readonly state: GroupState
  readonly #clock: Clock
  readonly #groups = new Map<string, Group>()

  constructor(state: GroupState, clock: Clock) {
    this.state = state
    this.#clock = clock
  }

  open(topic: LogTopic, name: string): Group {
    const key = keyOf(topic.settings.name, name)
    let group = this.#groups.get(key)
    if (group === undefined) {
      group = new Group(topic, name, { state: this.state, clock: this.#clock })
      this.#groups.set(key, group)
    }
    return group
  }

  find(topic: string, name: string): Group | undefined {
    return this.#groups.get(keyOf(topic, name))
  }

  /** After a reader has left: a group without readers is let go once its place is stored. */
  async release(group: Group): Promise<void> {
    if (group.hasMembers) return
    await this.state.flush().catch(() => {})
    const key = keyOf(group.topic.settings.name, group.name)
    if (!group.hasMembers && this.#groups.get(key) === group) this.#groups.delete(key)
  }

  names(topic: string): string[] {
    const live = [...this.#groups.values()]
      .filter((group) => group.topic.settings.name === topic)
      .map(({ name }) => name)
    return [...new Set([...live, ...this.state.groupsOf(topic)])].sort()
  }

  async forget(topic: string, name: string): Promise<void> {
    if (this.find(topic, name)?.hasMembers) {
      throw new SkeinError(
        'bad-argument',
        `Cannot delete group "${name}" of "${topic}": it has readers; close them first`,
        {
          details: { topic, group: name },
        },
      )
    }
    this.#groups.delete(keyOf(topic, name))
    this.state.forget(topic, name)
    await this.state.flush()
  }
}

function keyOf(topic: string, group: string): string {
  return JSON.stringify([topic, group])
}
