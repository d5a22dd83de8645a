import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { openEmbeddedBus } from '../../../src/bus/drivers/embedded/index.ts'
import type { Bus, Writer } from '../../../src/bus/index.ts'
import {
  openSequencedLog,
  type ReplicatedLog,
  type SequencedLog,
  type SequencedLogOptions,
} from '../../../src/consensus/index.ts'
import { memoryDisk } from '../../../src/core/index.ts'
import { systemClock, systemDisk, systemNetwork, systemRandom } from '../../../src/core/system/index.ts'
import { openDirectoryStore } from '../../../src/objects/index.ts'
import { freePorts } from '../../services/free-ports.ts'
import { until } from '../../until.ts'

export const TOPIC = 'decisions'
const MEMBERS = [1, 2, 3]

/** Three members in this process who elect, over TCP on loopback, which of them orders what is proposed on one embedded bus. */
export class SequencedGroup {
  readonly bus: Bus
  readonly logs: SequencedLog[] = []
  /** Closed: what that member writes to the log's topic does not leave it yet, as if its process stood still there. */
  readonly gates: Gate[] = MEMBERS.map(() => new Gate())
  readonly #directory: string
  readonly #ports: readonly number[]

  private constructor(bus: Bus, directory: string, ports: readonly number[]) {
    this.bus = bus
    this.#directory = directory
    this.#ports = ports
  }

  static async start(t: TestContext): Promise<SequencedGroup> {
    const directory = await mkdtemp(join(tmpdir(), 'skein-sequenced-'))
    const machine = { clock: systemClock, random: systemRandom }
    const bus = await openEmbeddedBus({ ...machine, disk: memoryDisk(), directory: 'bus' })
    const group = new SequencedGroup(bus, directory, await freePorts(MEMBERS.length))
    t.after(async () => {
      for (const gate of group.gates) gate.open()
      await Promise.all(group.logs.map((log) => log.close()))
      await bus.close()
      await rm(directory, { recursive: true, force: true })
    })
    group.logs.push(...(await Promise.all(MEMBERS.map(async (id) => openSequencedLog(await group.options(id))))))
    return group
  }

  async options(id: number): Promise<SequencedLogOptions> {
    const bootstrap = MEMBERS.map((one) => ({ id: one, address: `127.0.0.1:${this.#ports[one - 1]}` }))
    return {
      ...{ clock: systemClock, random: systemRandom, disk: systemDisk(), network: systemNetwork },
      bus: gated(this.bus, this.gates[id - 1]!),
      objects: await openDirectoryStore({ disk: systemDisk(), directory: join(this.#directory, 'objects') }),
      ...{ topic: TOPIC, durability: 'none', cluster: 'test', id },
      ...{ directory: join(this.#directory, String(id)), listen: bootstrap[id - 1]!.address, bootstrap },
      ...{ heartbeatMs: 50, electionTimeoutMs: 800 },
    }
  }

  gateOf(log: SequencedLog): Gate {
    return this.gates[this.logs.indexOf(log)]!
  }

  async leader(): Promise<SequencedLog> {
    const leading = () => this.logs.filter((log) => log.status().state === 'leading')
    await until(() => leading().length === 1, { withinMs: 60_000 })
    return leading()[0]!
  }
}

/** Lets pass, or holds. */
class Gate {
  #opened = Promise.resolve()
  #open: () => void = () => undefined
  /** Writes that it holds. */
  held = 0

  close(): void {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#opened = promise
    this.#open = resolve
  }

  open(): void {
    this.#open()
  }

  async pass(): Promise<void> {
    this.held += 1
    await this.#opened
    this.held -= 1
  }
}

function gated(bus: Bus, gate: Gate): Bus {
  return {
    name: bus.name,
    requests: bus.requests,
    admin: bus.admin,
    open: (topic) => bus.open(topic),
    reader: (topic, options) => bus.reader(topic, options),
    writer: (topic, options) =>
      topic === TOPIC ? gatedWriter(bus.writer(topic, options), gate) : bus.writer(topic, options),
    drain: () => bus.drain(),
    close: () => bus.close(),
  }
}

function gatedWriter(writer: Writer, gate: Gate): Writer {
  return {
    get full() {
      return writer.full
    },
    write: async (batch) => {
      await gate.pass()
      return writer.write(batch)
    },
    drained: (options) => writer.drained(options),
    drain: () => writer.drain(),
    close: () => writer.close(),
  }
}

/** What a member's log has through a read point: each command with its index and term. */
export async function contents(log: ReplicatedLog): Promise<string[]> {
  const through = await log.barrier()
  const found: string[] = []
  for await (const read of log.read(0)) {
    if ('snapshot' in read) found.push(`snapshot ${read.snapshot.index}`)
    else
      for (const { index, term, data } of read.entries) found.push(`${index} ${term} ${Buffer.from(data).toString()}`)
    if (('snapshot' in read ? read.snapshot.index : read.through) >= through) break
  }
  return found
}
