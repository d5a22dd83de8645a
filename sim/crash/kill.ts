import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectRemoteBus } from '../../src/bus/drivers/remote/index.ts'
import type { Bus } from '../../src/bus/index.ts'
import { systemClock, systemRandom } from '../../src/core/system/index.ts'
import { seededRandom } from '../../testing/index.ts'
import { type NodeProcess, startNodeProcess } from '../node-process.ts'
import { KillClient, readValue, TOPIC } from './kill/client.ts'
import { compare, type KillFindings, KillLedger, type ReadBack } from './kill/ledger.ts'
import type { CrashOptions } from './variant.ts'

const ROUNDS = 50
const CLIENTS = 2
const PARTITIONS = 3
const LOAD_MS_MAX = 250
/** Of ten rounds, so many also kill the node while it is opening its log again. */
const EARLY_KILLS_OF_TEN = 2
const EARLY_KILL_MS_MAX = 400
const ACKED_PER_ROUND_MIN = 2_000
const IN_FLIGHT_SHARE_MIN = 0.9

export interface KillReport extends KillFindings {
  readonly rounds: number
  readonly kills: number
  readonly roundsWithInFlight: number
  readonly acked: number
  /** Messages with a receipt that says less than durable. */
  readonly weak: number
}

/** Kills a node process with SIGKILL under the load of clients in this one, and compares what they were told with the log. */
export async function run(options: CrashOptions): Promise<KillReport> {
  const directory = await mkdtemp(join(tmpdir(), 'skein-kill-'))
  try {
    return await new KillRun(directory, options).all()
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

export function shortfalls(report: KillReport): string[] {
  const checks: ReadonlyArray<readonly [boolean, string]> = [
    [report.lost === 0, `${report.lost} acknowledged messages are lost`],
    [report.weak === 0, `${report.weak} messages were acknowledged below durable`],
    [report.gaps === 0, `${report.gaps} messages are missing before later ones of their key`],
    [report.reordered === 0, `${report.reordered} messages stand behind later ones of their key`],
    [report.roundsWithInFlight >= report.rounds * IN_FLIGHT_SHARE_MIN, 'too few kills met writes in flight'],
    [report.acked >= report.rounds * ACKED_PER_ROUND_MIN, `only ${report.acked} messages were acknowledged`],
  ]
  return checks.filter(([holds]) => !holds).map(([, sentence]) => sentence)
}

class KillRun {
  readonly #directory: string
  readonly #options: CrashOptions
  readonly #random
  readonly #ledger = new KillLedger()
  #kills = 0

  constructor(directory: string, options: CrashOptions) {
    this.#directory = directory
    this.#options = options
    this.#random = seededRandom(options.seed)
  }

  async all(): Promise<KillReport> {
    const rounds = this.#options.rounds ?? ROUNDS
    let node = await startNodeProcess({ dataDirectory: this.#directory })
    const buses = await Promise.all(Array.from({ length: CLIENTS }, () => connect(node.url)))
    await buses[0]!.open({
      name: TOPIC,
      intent: 'event',
      partitions: PARTITIONS,
      durability: 'durable',
      deduplicationWindowMs: 0,
    })
    const clients = buses.map((bus, index) => new KillClient(`c${index}`, bus, this.#ledger))
    const running = Promise.all(clients.map((client) => client.run()))
    let roundsWithInFlight = 0
    for (let round = 1; round <= rounds; round += 1) {
      await this.#load()
      if (clients.some((client) => client.inFlight > 0)) roundsWithInFlight += 1
      await node.kill()
      this.#kills += 1
      node = await this.#restart(node.port)
      this.#options.progress(`round ${round} of ${rounds}, ${this.#ledger.count} acknowledged`)
    }
    for (const client of clients) client.stop()
    await running
    await Promise.all(buses.map((bus) => bus.close()))
    const findings = compare(this.#ledger.acknowledged(), await readBack(node.url))
    await node.stop()
    return {
      rounds,
      kills: this.#kills,
      roundsWithInFlight,
      acked: this.#ledger.count,
      weak: this.#ledger.weak,
      ...findings,
    }
  }

  /** Lets the clients work: until the node has acknowledged enough for this round, then for a random moment. */
  async #load(): Promise<void> {
    const enough = this.#ledger.count + ACKED_PER_ROUND_MIN
    while (this.#ledger.count < enough) await systemClock.sleep(2)
    await systemClock.sleep(this.#random.float() * LOAD_MS_MAX)
  }

  async #restart(port: number): Promise<NodeProcess> {
    if (this.#random.float() * 10 < EARLY_KILLS_OF_TEN) await this.#killWhileOpening(port)
    return startNodeProcess({ dataDirectory: this.#directory, port })
  }

  async #killWhileOpening(port: number): Promise<void> {
    const delayMs = this.#random.float() * EARLY_KILL_MS_MAX
    let timer: NodeJS.Timeout | undefined
    const started = startNodeProcess({
      dataDirectory: this.#directory,
      port,
      onSpawn: (child) => {
        timer = setTimeout(() => child.kill('SIGKILL'), delayMs)
      },
    })
    // Killed before it was ready it rejects; killed after, it is a node like any other.
    const node = await started.catch(() => undefined)
    clearTimeout(timer)
    await node?.kill()
    this.#kills += 1
  }
}

function connect(url: string): Promise<Bus> {
  return connectRemoteBus({ url, clock: systemClock, random: systemRandom })
}

/** Everything in the topic, in the log's order, through a connection of its own. */
async function readBack(url: string): Promise<ReadBack[]> {
  const bus = await connect(url)
  const reader = bus.reader(TOPIC, { mode: 'broadcast', from: 'earliest' })
  const ends = await reader.end()
  const left = new Map(ends.filter((end) => end.sequence > 0).map((end) => [end.partition, end.sequence]))
  const found: ReadBack[] = []
  while (left.size > 0) {
    const batch = await reader.read()
    if (batch === null) continue
    for (const delivery of batch.deliveries) found.push(readValue(delivery.key ?? '', delivery.text()))
    if (batch.last.sequence >= left.get(batch.partition)! - 1) left.delete(batch.partition)
  }
  await bus.close()
  return found
}
