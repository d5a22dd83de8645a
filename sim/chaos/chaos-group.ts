import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Random } from '../../src/core/index.ts'
import { freePorts } from '../../test/services/free-ports.ts'
import { until } from '../../test/until.ts'
import type { MapAudit } from '../members/map-machine.ts'
import { Member } from '../members/member.ts'
import type { MemberSpec } from '../members/member-spec.ts'
import { Mesh } from './mesh.ts'
import { SmallDisk } from './small-disk.ts'

/**
 * - `small`: a file system of its own that can be filled; what was written survives a kill;
 * - `fickle`: what was not synced does not, as if the power had failed; it is only said to be full.
 */
export type DiskKind = 'small' | 'fickle'

const DISK_BYTES = 64 * 1024 * 1024
const SEGMENT_BYTES = 4 * 1024 * 1024
const SNAPSHOT_BYTES = 1024 * 1024
const HEARTBEAT_MS = 40
/** Followers campaign after so long without a leader, and up to twice as long. */
export const ELECTION_TIMEOUT_MS = 400
/** Far longer than anything takes on an idle machine. */
const SETTLED_WITHIN_MS = 90_000

interface Seat {
  readonly spec: MemberSpec
  readonly disk: SmallDisk | undefined
  member: Member
}

/** A Raft group of real processes behind proxies, each with a disk of its own, that can be tormented. */
export class ChaosGroup {
  readonly mesh: Mesh
  readonly disk: DiskKind
  readonly #seats: ReadonlyMap<number, Seat>
  /** Also when the process ends before it was asked to. */
  readonly #remove: () => void

  private constructor(parts: {
    readonly mesh: Mesh
    readonly disk: DiskKind
    readonly seats: ReadonlyMap<number, Seat>
    readonly directory: string
  }) {
    this.mesh = parts.mesh
    this.disk = parts.disk
    this.#seats = parts.seats
    this.#remove = () => rmSync(parts.directory, { recursive: true, force: true })
    process.on('exit', this.#remove)
  }

  /** A small disk needs root: without it the disks are fickle. */
  static async start(count: number, wanted: DiskKind): Promise<ChaosGroup> {
    const directory = await mkdtemp(join(tmpdir(), 'skein-chaos-'))
    const ids = Array.from({ length: count }, (_, at) => at + 1)
    const ports = await freePorts(count * 2)
    const mesh = await Mesh.open(new Map(ids.map((id) => [id, ports[id - 1]!])))
    const bootstrap = ids.map((id) => ({ id, address: `127.0.0.1:${ports[id - 1]}` }))
    const seats = new Map<number, Seat>()
    let disk = wanted
    for (const id of ids) {
      const small = disk === 'small' ? await SmallDisk.mount(DISK_BYTES) : undefined
      if (small === undefined) disk = 'fickle'
      const spec: MemberSpec = {
        id,
        cluster: 'chaos',
        directory: join(small?.directory ?? directory, `member-${id}`),
        listen: bootstrap[id - 1]!.address,
        bootstrap,
        addresses: mesh.addresses(id),
        clientPort: ports[count + id - 1]!,
        heartbeatMs: HEARTBEAT_MS,
        electionTimeoutMs: ELECTION_TIMEOUT_MS,
        machine: 'map',
        segmentBytes: SEGMENT_BYTES,
        snapshotBytes: SNAPSHOT_BYTES,
        disk: small === undefined ? 'fickle' : 'machine',
      }
      seats.set(id, { spec, disk: small, member: await Member.start(spec) })
    }
    return new ChaosGroup({ mesh, disk, seats, directory })
  }

  get ids(): readonly number[] {
    return this.mesh.ids
  }

  get targets(): ReadonlyArray<{ readonly id: number; readonly port: number }> {
    return [...this.#seats.values()].map(({ spec }) => ({ id: spec.id, port: spec.clientPort }))
  }

  member(id: number): Member {
    return this.#seats.get(id)!.member
  }

  /** Who leads the latest term, of those that can be asked. */
  async leader(): Promise<number | undefined> {
    const able = this.ids.filter((id) => this.member(id).isUp && !this.member(id).isPaused)
    const statuses = await Promise.all(
      able.map((id) =>
        this.member(id)
          .status()
          .catch(() => undefined),
      ),
    )
    const leading = able
      .map((id, at) => ({ id, status: statuses[at] }))
      .filter(({ status }) => status?.state === 'leading')
    return leading.sort((left, right) => right.status!.term - left.status!.term)[0]?.id
  }

  /** The leader in most cases, else anybody. */
  async victim(random: Random): Promise<number> {
    const anybody = this.ids[Math.floor(random.float() * this.ids.length)]!
    return random.float() < 0.75 ? ((await this.leader()) ?? anybody) : anybody
  }

  /** Kills it, whatever it does, and brings it back with what its disk has. */
  async kill(ids: readonly number[]): Promise<void> {
    await Promise.all(ids.map((id) => this.member(id).kill()))
  }

  async restart(ids: readonly number[]): Promise<void> {
    await Promise.all(
      ids.map(async (id) => {
        const seat = this.#seats.get(id)!
        seat.member = await Member.start(seat.spec)
      }),
    )
  }

  async fillDisk(id: number): Promise<void> {
    const { disk, member } = this.#seats.get(id)!
    if (disk === undefined) await member.fillDisk(true)
    else await disk.fill()
  }

  async relieveDisk(id: number): Promise<void> {
    const { disk, member } = this.#seats.get(id)!
    if (disk === undefined) await member.fillDisk(false)
    else await disk.relieve()
  }

  /** Resolves when all are up and hold the same: to what each says it has. Nobody may be writing any more. */
  async settled(): Promise<readonly MapAudit[]> {
    let audits: readonly MapAudit[] = []
    const isSettled = async () => {
      const fallen = this.ids.filter((id) => !this.member(id).isUp)
      if (fallen.length > 0) throw new Error(`member ${fallen.join(', ')} ended by itself`)
      const asked = await Promise.all(
        this.ids.map((id) =>
          this.member(id)
            .audit<MapAudit>()
            .catch(() => undefined),
        ),
      )
      audits = asked.filter((audit) => audit !== undefined)
      return audits.length === this.ids.length && new Set(audits.map(({ digest }) => digest)).size === 1
    }
    await until(isSettled, { withinMs: SETTLED_WITHIN_MS, everyMs: 50 })
    return audits
  }

  async close(): Promise<void> {
    await Promise.all([...this.#seats.values()].map(({ member }) => member.kill()))
    await this.mesh.close()
    for (const { disk } of this.#seats.values()) disk?.unmount()
    process.off('exit', this.#remove)
    this.#remove()
  }
}
