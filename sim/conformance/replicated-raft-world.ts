import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openRaftLog, type RaftLog } from '../../src/consensus/index.ts'
import { systemClock, systemDisk, systemNetwork, systemRandom } from '../../src/core/system/index.ts'
import { freePorts } from '../../test/services/free-ports.ts'
import { until } from '../../test/until.ts'
import type { ReplicatedLogWorld } from '../../testing/index.ts'
import { MortalDisk } from './mortal-disk.ts'

const MEMBERS = [1, 2, 3]

/** Three members of a Raft group in this process, on a real disk and over loopback sockets. */
export class ReplicatedRaftWorld implements ReplicatedLogWorld {
  readonly durability = 'quorum-durable'
  readonly commandBytesMax = 64 * 1024
  readonly #root: string
  readonly #ports: readonly number[]
  #disk = new MortalDisk(systemDisk())
  #logs: RaftLog[] = []

  private constructor(root: string, ports: readonly number[]) {
    this.#root = root
    this.#ports = ports
  }

  static async create(): Promise<ReplicatedRaftWorld> {
    const root = await mkdtemp(join(tmpdir(), 'skein-raft-log-'))
    const world = new ReplicatedRaftWorld(root, await freePorts(MEMBERS.length))
    await world.#start()
    return world
  }

  #address(id: number): string {
    return `127.0.0.1:${this.#ports[id - 1]}`
  }

  async #start(): Promise<void> {
    const bootstrap = MEMBERS.map((id) => ({ id, address: this.#address(id) }))
    this.#logs = await Promise.all(
      MEMBERS.map((id) =>
        openRaftLog({
          clock: systemClock,
          random: systemRandom,
          disk: this.#disk,
          network: systemNetwork,
          directory: `${this.#root}/${id}`,
          cluster: 'suite',
          id,
          listen: this.#address(id),
          bootstrap,
          heartbeatMs: 30,
          electionTimeoutMs: 300,
          commandBytesMax: this.commandBytesMax,
        }),
      ),
    )
  }

  async leader(): Promise<RaftLog> {
    await until(() => this.#leading() !== undefined)
    return this.#leading()!
  }

  /** The one that the others follow too: right after an election an old leader may not know yet. */
  #leading(): RaftLog | undefined {
    const living = this.#logs.filter((log) => log.status().state !== 'closed')
    const leader = living.find((log) => log.status().state === 'leading')
    const id = leader?.status().id
    return living.every((log) => log.status().leader?.id === id) ? leader : undefined
  }

  async follower(): Promise<RaftLog> {
    const leader = await this.leader()
    return this.#logs.find((log) => log !== leader && log.status().state === 'following')!
  }

  async depose(): Promise<RaftLog> {
    const [old, next] = [await this.leader(), await this.follower()]
    await old.admin.transfer(next.status().id)
    await until(() => this.#leading() === next)
    return next
  }

  async restart(how: 'drain' | 'kill'): Promise<void> {
    if (how === 'kill') await this.#kill()
    else await Promise.all(this.#logs.map((log) => log.drain()))
    await this.#start()
  }

  async #kill(): Promise<void> {
    await this.#disk.kill()
    await Promise.allSettled(this.#logs.map((log) => log.close()))
    this.#disk = new MortalDisk(systemDisk())
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#logs.map((log) => log.close()))
    await rm(this.#root, { recursive: true, force: true })
  }
}
