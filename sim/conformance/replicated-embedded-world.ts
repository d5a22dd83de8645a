import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openEmbeddedBus } from '../../src/bus/drivers/embedded/index.ts'
import type { Bus } from '../../src/bus/index.ts'
import { type BrokerLog, openBrokerLog } from '../../src/consensus/index.ts'
import { systemClock, systemDisk, systemRandom } from '../../src/core/system/index.ts'
import { openDirectoryStore } from '../../src/objects/index.ts'
import type { ReplicatedLogWorld } from '../../testing/index.ts'
import { MortalDisk } from './mortal-disk.ts'

const MEMBERS = ['a', 'b']

/** Two members of a log that one embedded bus keeps, on a real disk. */
export class ReplicatedEmbeddedWorld implements ReplicatedLogWorld {
  readonly durability = 'durable'
  readonly commandBytesMax = 64 * 1024
  readonly #root: string
  #disk = new MortalDisk(systemDisk())
  #bus!: Bus
  #logs: BrokerLog[] = []

  private constructor(root: string) {
    this.#root = root
  }

  static async create(): Promise<ReplicatedEmbeddedWorld> {
    const world = new ReplicatedEmbeddedWorld(await mkdtemp(join(tmpdir(), 'skein-broker-log-')))
    await world.#start()
    return world
  }

  async #start(): Promise<void> {
    const parts = { disk: this.#disk, clock: systemClock, random: systemRandom }
    this.#bus = await openEmbeddedBus({ ...parts, directory: join(this.#root, 'bus'), segmentBytes: 32 * 1024 })
    const objects = await openDirectoryStore({ disk: systemDisk(), directory: join(this.#root, 'objects') })
    this.#logs = []
    for (const id of MEMBERS) {
      const shared = { clock: systemClock, random: systemRandom, bus: this.#bus, objects, topic: 'decisions' }
      const { commandBytesMax } = this
      this.#logs.push(await openBrokerLog({ ...shared, id, leads: id === 'a', commandBytesMax }))
    }
  }

  async leader(): Promise<BrokerLog> {
    return this.#logs.find((log) => log.status().state === 'leading')!
  }

  async follower(): Promise<BrokerLog> {
    return this.#logs.find((log) => log.status().state === 'following')!
  }

  async depose(): Promise<BrokerLog> {
    const [old, next] = [await this.leader(), await this.follower()]
    await next.lead()
    await old.barrier()
    return next
  }

  async restart(how: 'drain' | 'kill'): Promise<void> {
    if (how === 'kill') await this.#disk.kill()
    else await Promise.all(this.#logs.map((log) => log.drain()))
    await this.#end()
    this.#disk = new MortalDisk(systemDisk())
    await this.#start()
  }

  async #end(): Promise<void> {
    await Promise.allSettled(this.#logs.map((log) => log.close()))
    await this.#bus.close().catch(() => undefined)
  }

  async close(): Promise<void> {
    await this.#end()
    await rm(this.#root, { recursive: true, force: true })
  }
}
