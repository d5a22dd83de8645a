import { openEmbeddedBus } from '../bus/drivers/embedded/index.ts'
import { connectRemoteBus } from '../bus/drivers/remote/index.ts'
import type { Bus } from '../bus/index.ts'
import { memoryDisk } from '../core/index.ts'
import type { ConnectTarget } from './connect-target.ts'
import type { Machine } from './machine.ts'

/** Opens the bus that a target names: here, and nowhere else in the fabric, drivers have names. */
export function openBus(
  target: ConnectTarget,
  machine: Machine,
  options: { readonly signal?: AbortSignal },
): Promise<Bus> {
  const { clock, random, disk } = machine
  switch (target.kind) {
    case 'memory':
      return openEmbeddedBus({ disk: memoryDisk(), clock, random, directory: 'data' })
    case 'embedded':
      return openEmbeddedBus({ disk, clock, random, directory: target.directory })
    case 'remote':
      return connectRemoteBus({ url: target.url, clock, random, ...options })
  }
}
