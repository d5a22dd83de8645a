import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { findService } from '../../../test/services/find-service.ts'
import type { Service } from '../../../test/services/service.ts'
import { Child } from '../../swarm/child.ts'
import { audit } from './audit.ts'
import type { BrokerReport } from './broker-report.ts'
import type { CrashWorld } from './crash-world.ts'
import { readLines } from './line-file.ts'
import { ACKED_FILE, EFFECTS_FILE, type ProcessArguments, REPEATS_FILE } from './load.ts'

const LOAD_WITHIN_MS = 120_000
const WHOLE_WITHIN_MS = 180_000
const DRAINED_WITHIN_MS = 120_000
const LOOK_EVERY_MS = 50

export interface BrokerRunOptions {
  readonly driver: string
  readonly nodes: number
  readonly folder: string
  readonly rounds: number
  readonly ackedPerRound: number
  progress(text: string): void
}

/** One run: a broker, a writer and a consumer in processes of their own, and somebody who kills them. */
export class BrokerRun {
  readonly #world: CrashWorld
  readonly #options: BrokerRunOptions
  #kills = 0

  constructor(world: CrashWorld, options: BrokerRunOptions) {
    this.#world = world
    this.#options = options
  }

  async play(): Promise<BrokerReport> {
    const { nodes } = this.#options
    const found = await findService(this.#world.service, (text) => this.#options.progress(text))
    const settings = this.#world.settings
    const service = await found.start({ nodes, mortal: true, ...(settings && { settings }) })
    try {
      return await this.#playOn(service)
    } finally {
      await service.stop()
    }
  }

  async #playOn(service: Service): Promise<BrokerReport> {
    const bus = await this.#world.connect(service.urls)
    const topic = this.#world.topic(this.#options.nodes)
    const { durability } = await bus.open(topic)
    await bus.close()
    const { driver, folder, rounds, nodes } = this.#options
    const told: ProcessArguments = { driver, folder, urls: service.urls.join(','), topic: JSON.stringify(topic) }
    const clients = new Clients(told)
    try {
      await clients.start()
      for (let round = 0; round < rounds; round += 1) await this.#round(round, service, clients)
      await clients.finishWriting()
      await this.#untilDrained()
      await clients.finish()
    } finally {
      await clients.kill()
    }
    return this.#report(`${service.name} ${service.version}`, { durability, nodes, rounds, driver })
  }

  #report(
    server: string,
    of: { readonly durability: string; readonly nodes: number; readonly rounds: number; readonly driver: string },
  ): BrokerReport {
    const { folder } = this.#options
    const { acked, lost, reordered, duplicateEffects } = audit(
      readLines(join(folder, ACKED_FILE)),
      readLines(join(folder, EFFECTS_FILE)),
    )
    const duplicates = readLines(join(folder, REPEATS_FILE)).length
    const { driver, nodes, durability, rounds } = of
    return {
      driver,
      server,
      nodes,
      durability,
      rounds,
      kills: this.#kills,
      acked,
      lost,
      reordered,
      duplicates,
      duplicateEffects,
    }
  }

  /** Half of the round's load, a kill, and the other half after it. */
  async #round(round: number, service: Service, clients: Clients): Promise<void> {
    const { ackedPerRound, nodes, rounds } = this.#options
    await this.#untilAcked((round + 0.5) * ackedPerRound)
    this.#kills += 1
    if (nodes > 1) await this.#replaceNode(service, round % nodes)
    else if (round % 2 === 0) await this.#killBroker(service)
    else await clients.killOne(round)
    await this.#untilAcked((round + 1) * ackedPerRound)
    this.#options.progress(`round ${round + 1} of ${rounds}, ${this.#count(ACKED_FILE)} acknowledged`)
  }

  async #killBroker(service: Service): Promise<void> {
    const [node] = service.nodes
    await node!.kill('SIGKILL')
    await node!.start()
  }

  /** The round ends when every copy is there again. */
  async #replaceNode(service: Service, index: number): Promise<void> {
    const node = service.nodes[index]!
    await node.kill('SIGKILL')
    await node.erase()
    await node.start()
    await until('the replication is whole', WHOLE_WITHIN_MS, () => this.#world.whole(service))
  }

  #count(file: string): number {
    return readLines(join(this.#options.folder, file)).length
  }

  async #untilAcked(count: number): Promise<void> {
    await until(`${count} messages are acknowledged`, LOAD_WITHIN_MS, async () => {
      const acked = this.#count(ACKED_FILE)
      if (acked < count) throw new Error(`${acked} are`)
    })
  }

  /** What does not come within the time is lost: the report says so. */
  async #untilDrained(): Promise<void> {
    const { folder } = this.#options
    await until('everything has taken effect', DRAINED_WITHIN_MS, async () => {
      const { lost } = audit(readLines(join(folder, ACKED_FILE)), readLines(join(folder, EFFECTS_FILE)))
      if (lost > 0) throw new Error(`${lost} have not`)
    }).catch(() => {})
  }
}

/** The processes that write and consume. */
class Clients {
  readonly #told: ProcessArguments
  #writer: Child
  #consumer: Child

  constructor(told: ProcessArguments) {
    this.#told = told
    this.#writer = this.#spawn('writer')
    this.#consumer = this.#spawn('consumer')
  }

  #spawn(type: 'writer' | 'consumer'): Child {
    const module = type === 'writer' ? './writer-process.ts' : './consumer-process.ts'
    return new Child(type, import.meta.resolve(module), { url: this.#told.urls, ...this.#told })
  }

  async start(): Promise<void> {
    await Promise.all([this.#writer.ready(), this.#consumer.ready()])
  }

  /** Writer and consumer in turn. */
  async killOne(round: number): Promise<void> {
    if (round % 4 === 1) {
      await this.#consumer.kill()
      this.#consumer = this.#spawn('consumer')
      await this.#consumer.ready()
    } else {
      await this.#writer.kill()
      this.#writer = this.#spawn('writer')
      await this.#writer.ready()
    }
  }

  async finishWriting(): Promise<void> {
    await this.#writer.finish(60_000)
  }

  async finish(): Promise<void> {
    await this.#consumer.finish(60_000)
  }

  async kill(): Promise<void> {
    await Promise.all([this.#writer.kill(), this.#consumer.kill()])
  }
}

async function until(what: string, withinMs: number, check: () => Promise<void>): Promise<void> {
  const deadline = performance.now() + withinMs
  for (;;) {
    try {
      await check()
      return
    } catch (error) {
      if (performance.now() > deadline) throw new Error(`Not within ${withinMs / 1_000} s: ${what}`, { cause: error })
    }
    await delay(LOOK_EVERY_MS)
  }
}
