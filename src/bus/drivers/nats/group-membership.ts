import { SkeinError, type Timer } from '../../../core/index.ts'
import { assignPartitions } from '../../kit/index.ts'
import type { Connection } from './connection.ts'
import { MEMBERS, type MemberEntry, type MembersRecord } from './group-records.ts'
import type { GroupStore, Stored } from './group-store.ts'
import { isConflict } from './nats-error.ts'
import { persist } from './persist.ts'

const LOOK_EVERY_MS = 1_000
const PROBE_TIMEOUT_MS = 1_000
const PROBE_AGAIN_MS = 150
/** Without an answer so often, a member is gone: the servers say at once that nobody listens. */
const PROBES_AT_JOIN = 3
const PROBES_MISSED_MAX = 3

export interface MembershipOptions {
  readonly group: string
  readonly filter: string
  /** Called with every state that is seen; the next waits for it. */
  readonly onChange: (record: MembersRecord) => Promise<void>
  readonly onFailed: (error: Error) => void
}

/**
 * One reader's place in its group. The members' record is changed by whoever joins, leaves, or finds that another is gone;
 * all compute the same shares from it. A member proves that it lives by answering its own subject.
 */
export class GroupMembership {
  readonly id: string
  readonly #connection: Connection
  readonly #store: GroupStore
  readonly #options: MembershipOptions
  readonly #abort = new AbortController()
  readonly #forget: () => void
  #timer: Timer | undefined
  #looking: Promise<void> | undefined
  #lookAgain = false
  #missed = 0
  #watched: string | undefined
  #stopListening = () => {}

  constructor(connection: Connection, store: GroupStore, options: MembershipOptions) {
    this.id = connection.newId()
    this.#connection = connection
    this.#store = store
    this.#options = options
    this.#forget = connection.listen({ onReconnect: () => this.look() })
  }

  get #signal(): AbortSignal {
    return this.#abort.signal
  }

  /** Joins and begins to watch. Rejects with `bad-argument` when the group reads other subjects. */
  async join(): Promise<void> {
    const subscription = this.#connection.subscribe(memberSubject(this.id), (message) => {
      if (message.reply !== undefined && message.reply !== '') message.respond()
      else this.look()
    })
    this.#stopListening = () => subscription.unsubscribe()
    await persist(this.#connection, this.#signal, () => this.#store.ensure())
    await this.#change((record, alive) => this.#withMe(record, alive))
    this.#watch()
    await this.look()
  }

  #withMe(record: MembersRecord | undefined, alive: readonly MemberEntry[]): readonly MemberEntry[] {
    const other = alive.find(({ id }) => id !== this.id)
    if (other !== undefined && other.filter !== this.#options.filter) {
      throw new SkeinError(
        'bad-argument',
        `Cannot read "${this.#store.topic.settings.name}" as group "${this.#options.group}" with subjects ${this.#options.filter}: ` +
          `its other readers have ${other.filter}; use the same, or another group`,
        { details: { group: this.#options.group } },
      )
    }
    void record
    return [...alive.filter(({ id }) => id !== this.id), { id: this.id, filter: this.#options.filter }]
  }

  /** Writes the record anew from those who live, until nobody wrote in between. */
  async #change(
    next: (record: MembersRecord | undefined, alive: readonly MemberEntry[]) => readonly MemberEntry[],
    gone: readonly string[] = [],
  ): Promise<void> {
    await persist(this.#connection, this.#signal, async () => {
      for (;;) {
        const stored = await this.#read()
        const alive = await this.#alive(stored.value, gone)
        const members = next(stored.value, alive)
        if (stored.value !== undefined && sameMembers(stored.value.members, members)) return
        try {
          const record = this.#recordOf(stored.value, members)
          await this.#store.write({ group: this.#options.group, record: MEMBERS, after: stored.sequence }, record)
          this.#notify(record.members)
          return
        } catch (error) {
          if (!isConflict(error)) throw error
        }
      }
    })
  }

  #read(): Promise<Stored<MembersRecord>> {
    return this.#store.read<MembersRecord>(this.#options.group, MEMBERS)
  }

  #recordOf(before: MembersRecord | undefined, members: readonly MemberEntry[]): MembersRecord {
    const ids = members.map(({ id }) => id)
    const { partitions } = this.#store.topic.settings
    const owners = Array.from({ length: partitions }, (_, index) => {
      const owner = before?.targets[index]
      return owner !== null && owner !== undefined && ids.includes(owner) ? owner : undefined
    })
    const targets = ids.length === 0 ? owners : assignPartitions(ids, owners)
    return {
      name: this.#options.group,
      generation: (before?.generation ?? 0) + 1,
      members,
      targets: targets.map((target) => target ?? null),
    }
  }

  async #alive(record: MembersRecord | undefined, gone: readonly string[]): Promise<readonly MemberEntry[]> {
    const members = record?.members ?? []
    const lives = await Promise.all(
      members.map(({ id }) => id === this.id || (!gone.includes(id) && this.#answers(id, PROBES_AT_JOIN))),
    )
    return members.filter((_, index) => lives[index])
  }

  async #answers(id: string, tries: number): Promise<boolean> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#connection.request(memberSubject(id), '?', { timeoutMs: PROBE_TIMEOUT_MS })
        return true
      } catch (error) {
        if (!(error instanceof SkeinError) || (error.code !== 'no-responder' && error.code !== 'timeout')) throw error
        if (attempt >= tries) return false
      }
      await this.#connection.clock.sleep(PROBE_AGAIN_MS, { signal: this.#signal })
    }
  }

  #notify(members: readonly MemberEntry[]): void {
    if (!this.#connection.isConnected) return
    for (const { id } of members) if (id !== this.id) this.#connection.publish(memberSubject(id), NOTHING)
  }

  /** Tells the others to look: a partition was let go. */
  async notifyAll(): Promise<void> {
    const { value } = await this.#read()
    this.#notify(value?.members ?? [])
  }

  #watch(): void {
    if (this.#signal.aborted) return
    this.#timer = this.#connection.clock.setTimer(() => {
      void this.look()
        .then(() => this.#probeNext())
        .finally(() => this.#watch())
    }, LOOK_EVERY_MS)
  }

  /** Reads the record and acts on it; one at a time, and once more for who asked meanwhile. */
  look(): Promise<void> {
    if (this.#looking !== undefined) {
      this.#lookAgain = true
      return this.#looking
    }
    this.#looking = this.#lookAll().finally(() => {
      this.#looking = undefined
    })
    return this.#looking
  }

  async #lookAll(): Promise<void> {
    try {
      do {
        this.#lookAgain = false
        await this.#lookOnce()
      } while (this.#lookAgain && !this.#signal.aborted)
    } catch (error) {
      if (this.#signal.aborted || !this.#connection.isConnected) return
      const isPassing = error instanceof SkeinError && error.retryable
      if (!isPassing) this.#options.onFailed(error as Error)
    }
  }

  async #lookOnce(): Promise<void> {
    if (!this.#connection.isConnected || this.#signal.aborted) return
    const { value } = await this.#read()
    if (this.#signal.aborted) return
    if (value?.members.some(({ id }) => id === this.id) !== true) {
      // The others took this one for dead: what it had is lost, and it begins anew.
      await this.#options.onChange({ name: this.#options.group, generation: 0, members: [], targets: [] })
      await this.#change((record, alive) => this.#withMe(record, alive))
      this.#lookAgain = true
      return
    }
    await this.#options.onChange(value)
  }

  /** Each watches the next: together they watch all. */
  async #probeNext(): Promise<void> {
    if (!this.#connection.isConnected || this.#signal.aborted) return
    try {
      const { value } = await this.#read()
      const ids = (value?.members ?? []).map(({ id }) => id).sort()
      const next = ids[(ids.indexOf(this.id) + 1) % ids.length]
      if (next === undefined || next === this.id) return
      if (next !== this.#watched) this.#missed = 0
      this.#watched = next
      this.#missed = (await this.#answers(next, 1)) ? 0 : this.#missed + 1
      if (this.#missed < PROBES_MISSED_MAX) return
      this.#missed = 0
      await this.#change((_, alive) => alive, [next])
      await this.look()
    } catch {
      // Asked again soon.
    }
  }

  /** Gives up the place; where the servers cannot be reached, the others find out. */
  async leave(): Promise<void> {
    if (this.#signal.aborted) return
    this.#timer?.cancel()
    this.#forget()
    if (this.#connection.isConnected) {
      this.#stopListening()
      await this.#withdraw().catch(() => {})
    }
    this.#abort.abort(new SkeinError('closed', 'the member has left'))
  }

  async #withdraw(): Promise<void> {
    for (let attempt = 0; attempt < 10; attempt += 1) {
      const stored = await this.#read()
      if (stored.value === undefined) return
      const members = stored.value.members.filter(({ id }) => id !== this.id)
      if (members.length === stored.value.members.length) return
      try {
        const record = this.#recordOf(stored.value, members)
        await this.#store.write({ group: this.#options.group, record: MEMBERS, after: stored.sequence }, record)
        this.#notify(members)
        return
      } catch (error) {
        if (!isConflict(error)) throw error
      }
    }
  }
}

const NOTHING = new Uint8Array(0)

function memberSubject(id: string): string {
  return `_skeinmember.${id}`
}

function sameMembers(one: readonly MemberEntry[], other: readonly MemberEntry[]): boolean {
  return one.length === other.length && one.every(({ id }, index) => other[index]!.id === id)
}
