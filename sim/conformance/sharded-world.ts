import type { Bus, TopicSpec } from '../../src/bus/index.ts'
import { type GrowingBus, shardedBus } from '../../src/bus/sharded/index.ts'
import { systemClock, systemRandom } from '../../src/core/system/index.ts'
import { delegate } from '../../testing/bus/delegate.ts'
import type { BusWorld } from '../../testing/index.ts'
import { EmbeddedWorld } from './embedded-world.ts'

const LEASE_MS = 20

/** A bus in memory on which every topic that can grow has grown twice before it is used, and has as many partitions as asked. */
export class GrownWorld implements BusWorld {
  readonly durability = 'none'
  readonly #inner: EmbeddedWorld
  bus: Bus

  private constructor(inner: EmbeddedWorld) {
    this.#inner = inner
    this.bus = grown(inner.bus)
  }

  static async create(): Promise<GrownWorld> {
    return new GrownWorld(await EmbeddedWorld.inMemory())
  }

  async restart(how: 'drain' | 'kill'): Promise<Bus> {
    if (how === 'drain') await this.bus.drain()
    this.bus = grown(await this.#inner.restart(how))
    return this.bus
  }

  disrupt(): Promise<void> {
    return this.#inner.disrupt()
  }

  async close(): Promise<void> {
    await this.bus.close()
    await this.#inner.close()
  }
}

function grown(inner: Bus): Bus {
  const bus = shardedBus(inner, { clock: systemClock, random: systemRandom })
  return delegate<Bus>(bus, { open: (spec) => openGrown(bus, spec) })
}

async function openGrown(bus: GrowingBus, spec: TopicSpec) {
  const { name, partitions = 1, intent, storage, compaction } = spec
  if (storage === 'ephemeral' || compaction !== undefined || intent === 'notice' || name.startsWith('skein.')) {
    return bus.open(spec)
  }
  const growing = { ...spec, sharding: { leaseMs: LEASE_MS } }
  const capabilities = await bus.open(growing)
  if (capabilities.partitions > partitions) return capabilities
  await bus.grow(name, { partitions: partitions + 1 })
  await bus.grow(name, { partitions })
  return bus.open(growing)
}
