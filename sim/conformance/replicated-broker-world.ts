import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Bus } from '../../src/bus/index.ts'
import { type BrokerLog, type LogDurability, openBrokerLog } from '../../src/consensus/index.ts'
import { systemClock, systemDisk, systemRandom } from '../../src/core/system/index.ts'
import { openDirectoryStore } from '../../src/objects/index.ts'
import { until } from '../../test/until.ts'
import type { BusWorld, ReplicatedLogWorld } from '../../testing/index.ts'

const MEMBERS = ['a', 'b']

/** Two members of a log that a broker keeps, whatever the broker; killed, the broker dies right after them. */
export class ReplicatedBrokerWorld implements ReplicatedLogWorld {
  readonly durability: LogDurability
  readonly commandBytesMax = 64 * 1024
  readonly #broker: BusWorld
  readonly #objects: string
  #logs: BrokerLog[] = []

  private constructor(broker: BusWorld, objects: string) {
    this.#broker = broker
    this.#objects = objects
    this.durability = broker.durability
  }

  static async create(broker: BusWorld): Promise<ReplicatedBrokerWorld> {
    const world = new ReplicatedBrokerWorld(broker, await mkdtemp(join(tmpdir(), 'skein-broker-log-')))
    await world.#start(broker.bus)
    return world
  }

  async #start(bus: Bus): Promise<void> {
    const objects = await openDirectoryStore({ disk: systemDisk(), directory: this.#objects })
    const { durability, commandBytesMax } = this
    const shared = { clock: systemClock, random: systemRandom, bus, objects, topic: 'decisions' }
    this.#logs = []
    for (const id of MEMBERS) {
      this.#logs.push(await openBrokerLog({ ...shared, id, leads: id === 'a', durability, commandBytesMax }))
    }
  }

  async leader(): Promise<BrokerLog> {
    await until(() => this.#logs.some((log) => log.status().state === 'leading'))
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
    if (how === 'drain') await Promise.all(this.#logs.map((log) => log.drain()))
    else await Promise.allSettled(this.#logs.map((log) => log.close()))
    await this.#start(await this.#broker.restart(how))
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#logs.map((log) => log.close()))
    await this.#broker.close()
    await rm(this.#objects, { recursive: true, force: true })
  }
}
