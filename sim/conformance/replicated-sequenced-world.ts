import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Bus } from '../../src/bus/index.ts'
import { type LogDurability, openSequencedLog, type SequencedLog } from '../../src/consensus/index.ts'
import { systemClock, systemDisk, systemNetwork, systemRandom } from '../../src/core/system/index.ts'
import { openDirectoryStore } from '../../src/objects/index.ts'
import { freePorts } from '../../test/services/free-ports.ts'
import { until } from '../../test/until.ts'
import type { BusWorld, ReplicatedLogWorld } from '../../testing/index.ts'
import { MortalDisk } from './mortal-disk.ts'

const MEMBERS = [1, 2, 3]
const HEARTBEATS_PER_ELECTION = 10
/** A broker that was killed begins again, and then somebody is elected. */
const LED_WITHIN_MS = 60_000

/** Three members who elect, by Raft, which of them orders what is proposed on a broker; killed, the broker dies right after them. */
export class ReplicatedSequencedWorld implements ReplicatedLogWorld {
  readonly durability: LogDurability
  readonly commandBytesMax = 64 * 1024
  readonly #broker: BusWorld
  readonly #root: string
  readonly #ports: readonly number[]
  readonly #electionTimeoutMs: number
  #disk = new MortalDisk(systemDisk())
  #logs: SequencedLog[] = []

  private constructor(
    broker: BusWorld,
    parts: { readonly root: string; readonly ports: readonly number[]; readonly electionTimeoutMs: number },
  ) {
    this.#broker = broker
    this.#root = parts.root
    this.#ports = parts.ports
    this.#electionTimeoutMs = parts.electionTimeoutMs
    this.durability = broker.durability
  }

  /** A broker that keeps this machine busy leaves members less time to hear each other. */
  static async create(broker: BusWorld, { electionTimeoutMs = 300 } = {}): Promise<ReplicatedSequencedWorld> {
    const root = await mkdtemp(join(tmpdir(), 'skein-sequenced-log-'))
    const ports = await freePorts(MEMBERS.length)
    const world = new ReplicatedSequencedWorld(broker, { root, ports, electionTimeoutMs })
    await world.#start(broker.bus)
    return world
  }

  async #start(bus: Bus): Promise<void> {
    const objects = await openDirectoryStore({ disk: systemDisk(), directory: join(this.#root, 'objects') })
    const bootstrap = MEMBERS.map((id) => ({ id, address: this.#address(id) }))
    const { durability, commandBytesMax } = this
    const electionTimeoutMs = this.#electionTimeoutMs
    const times = { electionTimeoutMs, heartbeatMs: electionTimeoutMs / HEARTBEATS_PER_ELECTION }
    this.#logs = await Promise.all(
      MEMBERS.map((id) =>
        openSequencedLog({
          ...{ clock: systemClock, random: systemRandom, disk: this.#disk, network: systemNetwork, bus, objects },
          ...{ directory: join(this.#root, String(id)), cluster: 'suite', id, listen: this.#address(id), bootstrap },
          ...{ ...times, topic: 'decisions', durability, commandBytesMax },
        }),
      ),
    )
  }

  #address(id: number): string {
    return `127.0.0.1:${this.#ports[id - 1]}`
  }

  async leader(): Promise<SequencedLog> {
    await until(() => this.#leading() !== undefined, { withinMs: LED_WITHIN_MS })
    return this.#leading()!
  }

  /** The one that the others follow too, having met its claim. */
  #leading(): SequencedLog | undefined {
    const living = this.#logs.filter((log) => log.status().state !== 'closed')
    const leader = living.find((log) => log.status().state === 'leading')
    const { id, term } = leader?.status() ?? {}
    return living.every((log) => log.status().leader?.id === id && log.status().term === term) ? leader : undefined
  }

  async follower(): Promise<SequencedLog> {
    const leader = await this.leader()
    return this.#logs.find((log) => log !== leader && log.status().state === 'following')!
  }

  async depose(): Promise<SequencedLog> {
    const [old, next] = [await this.leader(), await this.follower()]
    await old.admin.transfer(next.status().id)
    await until(() => this.#leading() === next, { withinMs: LED_WITHIN_MS })
    return next
  }

  async restart(how: 'drain' | 'kill'): Promise<void> {
    if (how === 'drain') await Promise.all(this.#logs.map((log) => log.drain()))
    else {
      await this.#disk.kill()
      await Promise.allSettled(this.#logs.map((log) => log.close()))
      this.#disk = new MortalDisk(systemDisk())
    }
    await this.#start(await this.#broker.restart(how))
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#logs.map((log) => log.close()))
    await this.#broker.close()
    await rm(this.#root, { recursive: true, force: true })
  }
}
