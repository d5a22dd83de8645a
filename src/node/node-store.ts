import { openEmbeddedBus } from '../bus/drivers/embedded/index.ts'
import { type Bus, EndMarks, type RawAccess, type RequestedDurability } from '../bus/index.ts'
import type { Disk, Random, SteadyClock } from '../core/index.ts'
import { type Binding, bindingOf, type NodeConfig, openBoundBus } from '../fabric/index.ts'
import { ROSTER_TOPIC } from '../swarm/index.ts'
import type { DamagedSegment } from './damage-watch.ts'
import { DiskHealth, type DiskState } from './disk-health.ts'

/** Where a node keeps what it keeps: a log of its own, or brokers. */
export interface NodeStore {
  readonly bus: Bus
  /** What the native protocol needs: stored bytes as they lie. Undefined on brokers, whose clients read them directly. */
  readonly log: (Bus & RawAccess) | undefined
  readonly health: DiskHealth | undefined
  /** Segments of this node's own log that were set aside. */
  readonly damaged: () => readonly DamagedSegment[]
  /** Of Skein's own topics. */
  readonly durability: RequestedDurability
  /** When the newest of what is stored was, as far as it is known: time goes on from there. */
  readonly newestMs: number
  /** For people: the directory, or the brokers by their names. */
  readonly place: string
}

export interface NodeStoreParts {
  readonly clock: SteadyClock
  readonly random: Random
  readonly disk: Disk
  readonly onDiskChange: (state: DiskState) => void
  /** Closes it with the node. */
  readonly keep: <Part extends { close(): Promise<void> | void }>(part: Part) => Part
}

export function openNodeStore(config: NodeConfig, parts: NodeStoreParts): Promise<NodeStore> {
  const binding = bindingOf(config)
  return binding === undefined ? openOwnLog(config, parts) : openBrokers(binding, parts)
}

async function openOwnLog(config: NodeConfig, parts: NodeStoreParts): Promise<NodeStore> {
  const { clock, random, disk, onDiskChange, keep } = parts
  const directory = config.data!
  const { sync, syncIntervalMs, segmentBytes } = config.log
  const health = keep(new DiskHealth(disk, { clock, directory, onChange: onDiskChange }))
  const log = keep(
    await openEmbeddedBus({
      ...{ disk: health.disk, clock, random, directory, segmentBytes, idBytesMax: config.limits.idBytes },
      sync: sync === 'interval' ? { kind: 'interval', intervalMs: syncIntervalMs } : { kind: sync },
    }),
  )
  // Skein's own topics are as safe as this node's log can be made to be.
  const durability = sync === 'group' ? 'safe' : 'written'
  return { bus: log, log, health, damaged: () => log.damaged(), durability, newestMs: log.newestMs, place: directory }
}

async function openBrokers(binding: Binding, { clock, random, disk, keep }: NodeStoreParts): Promise<NodeStore> {
  const options = { client: 'skein-node', safe: undefined, onConnection: () => {} }
  const bus = keep(await openBoundBus(binding, { clock, random, disk }, options))
  return {
    bus,
    log: undefined,
    health: undefined,
    damaged: () => [],
    durability: 'safe',
    newestMs: await newestStored(bus),
    place: bus.name,
  }
}

/** When the roster was written last, by the broker's clock; 0 where there is none yet. */
async function newestStored(bus: Bus): Promise<number> {
  if (!(await bus.admin.listTopics()).includes(ROSTER_TOPIC)) return 0
  const { partitions } = await bus.admin.describeTopic(ROSTER_TOPIC)
  const { start, end } = partitions[0]!
  if (end.sequence <= start.sequence) return 0
  const from = { partition: 0, sequence: end.sequence - 1 }
  const reader = bus.reader(ROSTER_TOPIC, { mode: 'broadcast', from })
  try {
    const marks = await EndMarks.of(reader, [from])
    let newestMs = 0
    while (!marks.reached) {
      const batch = await reader.read({ waitMs: EndMarks.pollMs })
      if (batch === null) await marks.nothingLeft()
      else newestMs = marks.within(batch).at(-1)?.appendedAtMs ?? newestMs
    }
    return newestMs
  } finally {
    await reader.close()
  }
}
