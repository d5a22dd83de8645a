import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Bus } from '../../../src/bus/index.ts'
import type { Random } from '../../../src/core/index.ts'
import { findService } from '../../../test/services/find-service.ts'
import type { Service } from '../../../test/services/service.ts'
import { seededRandom } from '../../../testing/index.ts'
import { Child } from '../../swarm/child.ts'
import { readLines } from '../broker/line-file.ts'
import { ACKED_FILE } from '../broker/load.ts'
import { crashWorld } from '../broker/worlds.ts'
import { BRIDGE, type BridgeRunArguments, connectEnd, TOPIC } from './bridge-ends.ts'
import { checkMoved, type FoundMessage, type MovedFindings } from './check-moved.ts'
import { readFound } from './read-found.ts'
import { MOMENTS, type Moment } from './weak-moments.ts'

/** Other counts on the two sides: what lies in one partition there comes from several here. */
const PARTITIONS = { source: 3, target: 2 }
const LOAD_WITHIN_MS = 120_000
const MOVED_WITHIN_MS = 180_000
const LOOK_EVERY_MS = 100
const DEAD_WITHIN_MS = 60_000
/** At any moment: within so long after the bridge has moved its first messages. */
const KILL_WITHIN_MS = 400
/** A bridge dies at the first to the so manieth such moment. */
const NTH_MAX = 3

export interface BridgeRunOptions {
  readonly folder: string
  readonly rounds: number
  /** Of the whole run: decides the moments. */
  readonly firstRound: number
  readonly ackedPerRound: number
  readonly seed: number
  progress(text: string): void
}

type Pair = readonly [string, string]
type Findings = MovedFindings & { readonly acked: number; readonly kills: number; readonly brokerKills: number }

/** One run between two brokers: somebody writes to the one, and kills whoever moves it to the other. */
export class BridgeRun {
  readonly #pair: Pair
  readonly #options: BridgeRunOptions
  #kills = 0
  #brokerKills = 0

  constructor(pair: Pair, options: BridgeRunOptions) {
    this.#pair = pair
    this.#options = options
  }

  async play(): Promise<Findings> {
    const services: Service[] = []
    try {
      for (const driver of this.#pair) {
        const { service, settings } = await crashWorld(driver)
        const found = await findService(service, (text) => this.#options.progress(text))
        services.push(await found.start({ mortal: true, ...(settings && { settings }) }))
      }
      return await this.#playOn(services as [Service, Service])
    } finally {
      await Promise.all(services.map((service) => service.stop()))
    }
  }

  async #playOn([source, target]: readonly [Service, Service]): Promise<Findings> {
    const [from, to] = this.#pair
    const { folder, rounds } = this.#options
    const told = { from, to, folder, url: source.url, fromUrl: source.url, toUrl: target.url }
    await openTopic(from, source.url, PARTITIONS.source)
    await openTopic(to, target.url, PARTITIONS.target)
    const writer = new Child('writer', import.meta.resolve('./writer-process.ts'), told)
    try {
      await writer.ready()
      for (let round = 0; round < rounds; round += 1) await this.#round(round, told, [source, target])
      await writer.finish(60_000)
    } finally {
      await writer.kill()
    }
    await this.#moveTheRest(told)
    const found = await readTarget(to, target.url)
    const acked = readLines(join(folder, ACKED_FILE))
    return {
      ...checkMoved(acked, found, TOPIC),
      acked: acked.length,
      kills: this.#kills,
      brokerKills: this.#brokerKills,
    }
  }

  /** A bridge finds a backlog and dies while it moves it: at a moment that is weak, or at any. */
  async #round(round: number, told: BridgeRunArguments, services: readonly [Service, Service]): Promise<void> {
    const { seed, rounds, firstRound, ackedPerRound, progress } = this.#options
    const random = seededRandom(seed * 1_000 + round)
    const moment = MOMENTS[(firstRound + round) % MOMENTS.length]!
    await this.#untilAcked((round + 1) * ackedPerRound)
    const bridge = spawnBridge(told, moment, 1 + Math.floor(random.float() * NTH_MAX))
    try {
      if (moment === 'anywhere') await this.#killAnywhere(bridge, services[this.#brokerKills % 2]!, random)
      else if (!(await bridge.ended(DEAD_WITHIN_MS))) throw new Error(`no bridge came to the moment "${moment}"`)
    } finally {
      await bridge.kill()
    }
    this.#kills += 1
    progress(`${this.#pair.join(' to ')}: round ${round + 1} of ${rounds} (${moment}), ${this.#acked()} acknowledged`)
  }

  /** A broker is killed under the bridge, and the bridge after it has got over that, or not yet. */
  async #killAnywhere(bridge: Child, broker: Service, random: Random): Promise<void> {
    await bridge.ready()
    const signal = new AbortController().signal
    const isMoving = await bridge.says('moving', { withinMs: MOVED_WITHIN_MS, signal })
    if (!isMoving) throw new Error(`the bridge moved nothing within ${MOVED_WITHIN_MS / 1_000} s`)
    await delay(random.float() * KILL_WITHIN_MS)
    await this.#killBroker(broker)
    await delay(random.float() * KILL_WITHIN_MS)
  }

  async #killBroker({ nodes }: Service): Promise<void> {
    await nodes[0]!.kill('SIGKILL')
    await nodes[0]!.start()
    this.#brokerKills += 1
  }

  #acked(): number {
    return readLines(join(this.#options.folder, ACKED_FILE)).length
  }

  async #untilAcked(count: number): Promise<void> {
    const deadline = performance.now() + LOAD_WITHIN_MS
    while (this.#acked() < count) {
      if (performance.now() > deadline)
        throw new Error(`${this.#acked()} of ${count} messages were acknowledged in time`)
      await delay(LOOK_EVERY_MS)
    }
  }

  /** The last bridge lives until nothing is left at the source; what does not come by then is lost, and the report says so. */
  async #moveTheRest(told: BridgeRunArguments): Promise<void> {
    this.#options.progress('moving the rest')
    const bridge = spawnBridge(told, 'anywhere', 1)
    const bus = await connectEnd(told.from, told.fromUrl)
    try {
      await bridge.ready()
      const deadline = performance.now() + MOVED_WITHIN_MS
      while (performance.now() < deadline && !(await isMoved(bus))) await delay(LOOK_EVERY_MS)
      await bridge.finish(60_000)
    } finally {
      await bridge.kill()
      await bus.close()
    }
  }
}

function spawnBridge(told: BridgeRunArguments, moment: Moment, nth: number): Child {
  return new Child('bridge', import.meta.resolve('./bridge-process.ts'), { ...told, moment, nth: String(nth) })
}

/** Nothing that the bridge's group has not acknowledged. */
async function isMoved(bus: Bus): Promise<boolean> {
  const groups = await bus.admin.listGroups(TOPIC)
  const group = groups.find((name) => name.startsWith(`bridge.${BRIDGE}.`))
  if (group === undefined) return false
  const lags = await bus.admin.lag(TOPIC, group)
  return lags.every(({ messages }) => messages === 0)
}

async function openTopic(driver: string, url: string, partitions: number): Promise<void> {
  const bus = await connectEnd(driver, url)
  try {
    await bus.open({ name: TOPIC, intent: 'event', partitions, durability: 'written', deduplicationWindowMs: 0 })
  } finally {
    await bus.close()
  }
}

async function readTarget(driver: string, url: string): Promise<FoundMessage[]> {
  const bus = await connectEnd(driver, url)
  try {
    return await readFound(bus)
  } finally {
    await bus.close()
  }
}
