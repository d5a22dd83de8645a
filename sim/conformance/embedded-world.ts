import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type EmbeddedBus, openEmbeddedBus } from '../../src/bus/drivers/embedded/index.ts'
import type { Bus } from '../../src/bus/index.ts'
import { type Disk, memoryDisk } from '../../src/core/index.ts'
import { systemClock, systemDisk, systemRandom } from '../../src/core/system/index.ts'
import type { BusWorld } from '../../testing/index.ts'
import { copyTree } from './copy-tree.ts'

const SEGMENT_BYTES = 32 * 1024
const MAINTENANCE_MS = 20

/** An embedded bus in a directory; killed, it goes on in a copy of what the kill would have left. */
export class EmbeddedWorld implements BusWorld {
  readonly durability: 'none' | 'durable'
  bus: EmbeddedBus
  readonly #disk: Disk
  readonly #root: string
  readonly #remove: () => Promise<void>
  #lives = 0

  private constructor(
    disk: Disk,
    place: { readonly root: string; readonly bus: EmbeddedBus; readonly remove: () => Promise<void> },
  ) {
    this.#disk = disk
    this.#root = place.root
    this.#remove = place.remove
    this.bus = place.bus
    this.durability = disk.kind === 'memory' ? 'none' : 'durable'
  }

  static async inMemory(): Promise<EmbeddedWorld> {
    const disk = memoryDisk()
    return new EmbeddedWorld(disk, { root: 'world', bus: await openIn(disk, 'world/0'), remove: async () => {} })
  }

  static async onDisk(): Promise<EmbeddedWorld> {
    const root = await mkdtemp(join(tmpdir(), 'skein-bus-'))
    const disk = systemDisk()
    const remove = () => rm(root, { recursive: true, force: true })
    return new EmbeddedWorld(disk, { root, bus: await openIn(disk, `${root}/0`), remove })
  }

  async restart(how: 'drain' | 'kill'): Promise<Bus> {
    if (how === 'drain') await this.bus.drain()
    else await this.#kill()
    this.bus = await openIn(this.#disk, this.#directory)
    return this.bus
  }

  get #directory(): string {
    return `${this.#root}/${this.#lives}`
  }

  async #kill(): Promise<void> {
    const killed = this.bus
    const left = this.#directory
    this.#lives += 1
    await copyTree(this.#disk, left, this.#directory)
    await killed.close()
  }

  /** There is no connection to break. */
  async disrupt(): Promise<void> {}

  async close(): Promise<void> {
    await this.bus.close()
    await this.#remove()
  }
}

function openIn(disk: Disk, directory: string): Promise<EmbeddedBus> {
  return openEmbeddedBus({
    disk,
    clock: systemClock,
    random: systemRandom,
    directory,
    segmentBytes: SEGMENT_BYTES,
    maintenanceIntervalMs: MAINTENANCE_MS,
  })
}
