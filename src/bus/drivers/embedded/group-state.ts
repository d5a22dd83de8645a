import type { StoredProgress } from '../../kit/index.ts'
import type { StateMap } from './state-map.ts'
import type { LogTopic } from './topic.ts'

/** Where groups keep their places: one entry per topic, group and partition. */
export class GroupState {
  readonly #state: StateMap

  constructor(state: StateMap) {
    this.#state = state
  }

  get(topic: string, group: string, partition: number): StoredProgress | undefined {
    return this.#state.get(keyOf(topic, group, partition)) as StoredProgress | undefined
  }

  touch(key: string, source: () => StoredProgress | undefined): void {
    this.#state.touch(key, source)
  }

  flush(): Promise<void> {
    return this.#state.flush()
  }

  /** Groups of a topic that have a stored place, sorted. */
  groupsOf(topic: string): string[] {
    const groups = this.#state.keys(prefixOf(topic)).map((key) => (JSON.parse(key) as [string, string, number])[1])
    return [...new Set(groups)].sort()
  }

  /** Every entry of a topic. */
  entriesOf(
    topic: string,
  ): Array<{ readonly key: string; readonly partition: number; readonly progress: StoredProgress }> {
    return this.#state.keys(prefixOf(topic)).map((key) => ({
      key,
      partition: (JSON.parse(key) as [string, string, number])[2],
      progress: this.#state.get(key) as StoredProgress,
    }))
  }

  forget(topic: string, group?: string): void {
    for (const key of this.#state.keys(prefixOf(topic))) {
      if (group === undefined || JSON.parse(key)[1] === group) this.#state.touch(key, () => undefined)
    }
  }
}

/** The store's key for one partition of a group. */
export function keyOf(topic: string, group: string, partition: number): string {
  return JSON.stringify([topic, group, partition])
}

function prefixOf(topic: string): string {
  return `[${JSON.stringify(topic)},`
}

/**
 * After a power loss a log may end before the place of a group. The place moves back to the end, before anything is
 * appended there: otherwise the group would pass over what is written next.
 */
export function clampGroups(state: StateMap, topics: readonly LogTopic[]): void {
  const groups = new GroupState(state)
  for (const topic of topics) {
    for (const { key, partition, progress } of groups.entriesOf(topic.settings.name)) {
      const end = topic.partitions[partition]?.log.endOffset
      if (end === undefined || (progress.settled <= end && progress.delivered <= end)) continue
      const held = progress.held.filter(([offset]) => offset < end)
      const clamped = {
        settled: Math.min(progress.settled, end),
        delivered: Math.min(progress.delivered, end),
        held,
        attempts: [],
      }
      state.touch(key, () => clamped)
    }
  }
}
