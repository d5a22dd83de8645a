import type { TestContext } from 'node:test'
import { type EmbeddedBusOptions, openEmbeddedBus } from '../src/bus/drivers/embedded/index.ts'
import type { Bus } from '../src/bus/index.ts'
import { Channels, type ChannelsOptions } from '../src/channel/index.ts'
import { type Disk, memoryDisk } from '../src/core/index.ts'
import { systemClock, systemRandom } from '../src/core/system/index.ts'
import { type ObjectStore, openDirectoryStore } from '../src/objects/index.ts'

export interface ChannelsInMemory {
  readonly bus: Bus
  readonly disk: Disk
  readonly channels: Channels
  readonly objects: ObjectStore
  /** What the channels reported, in order. */
  readonly errors: unknown[]
  /** Closes all of it and opens it again on the same disk. */
  reopen(): Promise<ChannelsInMemory>
}

/** Channels on an embedded bus whose disk is memory, closed after the test. */
export async function channelsInMemory(
  t: TestContext,
  options: Partial<ChannelsOptions & EmbeddedBusOptions> = {},
): Promise<ChannelsInMemory> {
  const disk = options.disk ?? memoryDisk()
  const clock = options.clock ?? systemClock
  const bus =
    options.bus ?? (await openEmbeddedBus({ random: systemRandom, directory: 'data', ...options, disk, clock }))
  const objects = options.objects ?? (await openDirectoryStore({ disk, directory: 'objects' }))
  const errors: unknown[] = []
  const onError = (error: unknown) => errors.push(error)
  const channels = new Channels({
    clock,
    random: systemRandom,
    source: 'test',
    safe: 'none',
    ...options,
    bus,
    objects,
    onError,
  })
  t.after(() => bus.close())
  const reopen = async () => {
    await channels.close()
    await bus.close()
    const { bus: _bus, objects: _objects, ...kept } = options
    return channelsInMemory(t, { ...kept, disk })
  }
  return { bus, disk, channels, objects, errors, reopen }
}
