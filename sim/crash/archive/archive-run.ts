import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { openEmbeddedBus } from '../../../src/bus/drivers/embedded/index.ts'
import { memoryDisk, type Random } from '../../../src/core/index.ts'
import { systemClock, systemRandom } from '../../../src/core/system/index.ts'
import { restoreArchive, verifyArchive } from '../../../src/transfer/index.ts'
import { findService } from '../../../test/services/find-service.ts'
import type { Service } from '../../../test/services/service.ts'
import { seededRandom } from '../../../testing/index.ts'
import { Child } from '../../swarm/child.ts'
import { type BridgeRunArguments, connectEnd, TOPIC } from '../bridge/bridge-ends.ts'
import { checkMoved, type MovedFindings } from '../bridge/check-moved.ts'
import { readFound } from '../bridge/read-found.ts'
import { readLines } from '../broker/line-file.ts'
import { ACKED_FILE } from '../broker/load.ts'
import { crashWorld } from '../broker/worlds.ts'
import { archiveStore, crashedArchive } from './crashed-archive.ts'

const PARTITIONS = 3
const WITHIN_MS = 120_000
const LOOK_EVERY_MS = 100
/** At any moment within so long after the archiver has archived something, and after the broker began again. */
const KILL_WITHIN_MS = 400
/** So often it is the broker's turn too. */
const BROKER_EVERY = 3

export interface ArchiveRunOptions {
  readonly driver: string
  readonly folder: string
  readonly rounds: number
  readonly ackedPerRound: number
  readonly seed: number
  progress(text: string): void
}

export interface ArchiveFindings extends Omit<MovedFindings, 'moved'> {
  readonly server: string
  readonly kills: number
  readonly brokerKills: number
  readonly acked: number
  /** In the archive, as its manifest says. */
  readonly archived: number
  /** Segments that are not what the manifest says. */
  readonly damaged: number
  /** Found where it was restored to. */
  readonly restored: number
}

/** Somebody writes to a topic, and kills whoever archives it, and the broker beneath. */
export class ArchiveRun {
  readonly #options: ArchiveRunOptions
  #kills = 0
  #brokerKills = 0

  constructor(options: ArchiveRunOptions) {
    this.#options = options
  }

  async play(): Promise<ArchiveFindings> {
    const { driver, progress } = this.#options
    const { service: name, settings } = await crashWorld(driver)
    const found = await findService(name, progress)
    const service = await found.start({ mortal: true, ...(settings && { settings }) })
    try {
      return await this.#playOn(service)
    } finally {
      await service.stop()
    }
  }

  async #playOn(service: Service): Promise<ArchiveFindings> {
    const { driver, folder, rounds } = this.#options
    const { url } = service
    const bus = await connectEnd(driver, url)
    try {
      await bus.open({
        ...{ name: TOPIC, intent: 'event', partitions: PARTITIONS },
        ...{ durability: 'written', deduplicationWindowMs: 0 },
      })
      const told = { from: driver, to: driver, folder, url, fromUrl: url, toUrl: url }
      const writer = new Child('writer', import.meta.resolve('../bridge/writer-process.ts'), told)
      try {
        await writer.ready()
        for (let round = 0; round < rounds; round += 1) await this.#round(round, told, service)
        await writer.finish(60_000)
      } finally {
        await writer.kill()
      }
      this.#options.progress('archiving the rest')
      await (await crashedArchive(bus, folder)).run({ untilEnd: true, signal: AbortSignal.timeout(WITHIN_MS) })
    } finally {
      await bus.close()
    }
    return { server: `${service.name} ${service.version}`, ...(await this.#findings()) }
  }

  async #round(round: number, told: BridgeRunArguments, service: Service): Promise<void> {
    const { seed, rounds, ackedPerRound, progress } = this.#options
    const random = seededRandom(seed * 1_000 + round)
    await this.#untilAcked((round + 1) * ackedPerRound)
    const archiver = new Child('archiver', import.meta.resolve('./archiver-process.ts'), told)
    try {
      await archiver.ready()
      const signal = new AbortController().signal
      const isArchiving = await archiver.says('archiving', { withinMs: WITHIN_MS, signal })
      if (!isArchiving) throw new Error(`the archiver archived nothing within ${WITHIN_MS / 1_000} s`)
      await delay(random.float() * KILL_WITHIN_MS)
      if (round % BROKER_EVERY === BROKER_EVERY - 1) await this.#killBroker(service, random)
    } finally {
      await archiver.kill()
    }
    this.#kills += 1
    progress(`round ${round + 1} of ${rounds}, ${this.#acked().length} acknowledged`)
  }

  async #killBroker({ nodes }: Service, random: Random): Promise<void> {
    await nodes[0]!.kill('SIGKILL')
    await nodes[0]!.start()
    this.#brokerKills += 1
    await delay(random.float() * KILL_WITHIN_MS)
  }

  #acked(): readonly string[] {
    return readLines(join(this.#options.folder, ACKED_FILE))
  }

  async #untilAcked(count: number): Promise<void> {
    const deadline = performance.now() + WITHIN_MS
    while (this.#acked().length < count) {
      if (performance.now() > deadline)
        throw new Error(`${this.#acked().length} of ${count} messages were acknowledged in time`)
      await delay(LOOK_EVERY_MS)
    }
  }

  /** Restored into an empty log, which is then read from its beginning. */
  async #findings(): Promise<Omit<ArchiveFindings, 'server'>> {
    const machine = { clock: systemClock, random: systemRandom }
    const store = await archiveStore(this.#options.folder)
    const { messages, damaged } = await verifyArchive(store)
    const bus = await openEmbeddedBus({ disk: memoryDisk(), directory: 'restored', ...machine })
    try {
      await restoreArchive({ store, target: { bus }, create: true, durability: 'none', ...machine })
      const acked = this.#acked()
      const { moved, ...faults } = checkMoved(acked, await readFound(bus), TOPIC)
      return {
        ...{ kills: this.#kills, brokerKills: this.#brokerKills, acked: acked.length },
        ...{ archived: messages, restored: moved, ...faults, damaged: damaged.length },
      }
    } finally {
      await bus.close()
    }
  }
}
