import { join } from 'node:path'
import { Member } from '../../sim/members/member.ts'
import type { MemberSpec, MemberStatus } from '../../sim/members/member-spec.ts'
import type { Tally } from '../../sim/members/tally-machine.ts'
import { freePorts } from '../../test/services/free-ports.ts'
import { until } from '../../test/until.ts'
import type { LoadSide } from './load.ts'
import type { LoadTarget } from './load-client.ts'

const IDS = [1, 2, 3]
/** The log is compacted behind a snapshot as it would be in use: an endless log in memory would be measured else. */
const SNAPSHOT_BYTES = 32 * 1024 * 1024

/** Followers campaign after so long without a leader, and up to twice as long. */
export const ELECTION_TIMEOUT_MS = 500
const HEARTBEAT_MS = 100

/** Three members of a Raft group, in a process each. */
export class OurGroup implements LoadSide {
  readonly ledger = new Map<number, number>()
  readonly #specs: readonly MemberSpec[]
  #members: Member[] = []

  private constructor(specs: readonly MemberSpec[]) {
    this.#specs = specs
  }

  static async start(directory: string): Promise<OurGroup> {
    const ports = await freePorts(IDS.length * 2)
    const bootstrap = IDS.map((id) => ({ id, address: `127.0.0.1:${ports[id - 1]}` }))
    const specs = IDS.map(
      (id): MemberSpec => ({
        id,
        cluster: 'bench',
        directory: join(directory, String(id)),
        listen: bootstrap[id - 1]!.address,
        bootstrap,
        clientPort: ports[IDS.length + id - 1]!,
        heartbeatMs: HEARTBEAT_MS,
        electionTimeoutMs: ELECTION_TIMEOUT_MS,
        machine: 'tally',
        snapshotBytes: SNAPSHOT_BYTES,
        disk: 'machine',
      }),
    )
    const group = new OurGroup(specs)
    group.#members = await Promise.all(specs.map((spec) => Member.start(spec)))
    await group.settled()
    return group
  }

  get targets(): readonly LoadTarget[] {
    return this.#specs.map(({ id, clientPort }) => ({ id, port: clientPort }))
  }

  #statuses(): Promise<readonly MemberStatus[]> {
    return Promise.all(this.#members.map((member) => member.status()))
  }

  /** Resolves when all follow one leader and have what it had: to that leader. */
  async settled(): Promise<Member> {
    let leader: Member | undefined
    const isSettled = async () => {
      const before = await this.#statuses()
      const at = before.findIndex(({ state }) => state === 'leading')
      if (at < 0) return false
      leader = this.#members[at]!
      const now = await this.#statuses()
      return now.every(({ leader: id, committed }) => id === leader?.id && committed >= before[at]!.committed)
    }
    await until(isSettled, { withinMs: 60_000, everyMs: 20 })
    return leader!
  }

  async restart(killed: Member): Promise<void> {
    this.#members[killed.id - 1] = await Member.start(this.#specs[killed.id - 1]!)
  }

  async durabilities(): Promise<readonly string[]> {
    return (await this.#statuses()).flatMap((status) => status.durabilities)
  }

  /** Throws unless each member has everything that was acknowledged, each once and in order. */
  async check(): Promise<void> {
    for (const member of this.#members) {
      const tallies = await member.audit<Record<string, Tally>>()
      for (const [client, count] of this.ledger) {
        const found = tallies[client] ?? { count: 0, isOrdered: true, last: 0 }
        if (found.count >= count && found.isOrdered) continue
        throw new Error(`Member ${member.id} has ${JSON.stringify(found)} of ${count} proposals of client ${client}`)
      }
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#members.map((member) => member.stop()))
  }
}
