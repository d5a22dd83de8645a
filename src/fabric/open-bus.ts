import { openEmbeddedBus } from '../bus/drivers/embedded/index.ts'
import { connectRemoteBus } from '../bus/drivers/remote/index.ts'
import type { Bus } from '../bus/index.ts'
import { memoryDisk } from '../core/index.ts'
import type { ConnectTarget } from './connect-target.ts'
import type { NodeMachine } from './machine.ts'

export interface OpenBusOptions {
  /** Names this client at a node. */
  readonly client: string
  readonly connectTimeoutMs?: number
  readonly signal?: AbortSignal
  /** The node's name for the connection there is now; undefined while there is none. */
  readonly onConnection: (connectionId: string | undefined) => void
}

/** Opens a bus in this process, or that of a node. What brokers need is in `binding/`. */
export function openBus(
  target: Exclude<ConnectTarget, { readonly kind: 'brokers' }>,
  machine: NodeMachine,
  options: OpenBusOptions,
): Promise<Bus> {
  const { clock, random } = machine
  switch (target.kind) {
    case 'memory':
      return openEmbeddedBus({ disk: memoryDisk(), clock, random, directory: 'data' })
    case 'embedded':
      return openStored(machine, target.directory)
    case 'remote':
      return connectRemoteBus({
        ...{ url: target.url, clock, random },
        ...options,
        onStatus: ({ connectionId }) => options.onConnection(connectionId),
      })
  }
}

/** This process is the node: its time goes on from what the last one stored, whatever became of the machine's clock. */
async function openStored({ clock, random, disk }: NodeMachine, directory: string): Promise<Bus> {
  const bus = await openEmbeddedBus({ disk, clock, random, directory })
  clock.notBefore(bus.newestMs)
  return bus
}
