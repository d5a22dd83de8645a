import type { Random } from '../../src/core/index.ts'
import { type Log, openLog, type SyncPolicy } from '../../src/log/index.ts'
import { SimulatedClock, SimulatedDisk, seededRandom } from '../../testing/index.ts'
import { judge } from './log/judge.ts'
import { LogLedger } from './log/log-ledger.ts'
import { readBack } from './log/read-back.ts'
import { numberIn } from './log/record-text.ts'
import type { CrashOptions } from './variant.ts'

export interface PowerReport {
  readonly rounds: number
  /** Power losses in all rounds. */
  readonly losses: number
  readonly acked: number
  readonly lost: number
  readonly silent: number
  /** Logs said to be damaged although nothing that was synced was harmed. */
  readonly falseAlarms: number
  readonly notes: readonly string[]
}

const ROUNDS = 1_000
const LIVES_MAX = 8
const INTERVAL_MS = 50

/**
 * Power losses under load, on a disk that keeps any part of what was not synced. Each round is one log in several
 * lives; each life appends from several writers while readers look on, until the power fails in the middle of some call
 * or, in between, a write or a sync fails or the process dies. After each life the log is read whole.
 */
export async function run(options: CrashOptions): Promise<PowerReport> {
  const rounds = options.rounds ?? ROUNDS
  const total = { losses: 0, acked: 0, lost: 0, silent: 0, falseAlarms: 0 }
  const notes: string[] = []
  for (let index = 0; index < rounds; index += 1) {
    const seed = options.seed * 1_000_003 + index
    const round = new PowerRound(seed)
    await round.run()
    total.losses += round.losses
    total.acked += round.ledger.acknowledgedRecords
    total.lost += round.lost
    total.silent += round.silent
    total.falseAlarms += round.falseAlarms
    if (notes.length < 10) notes.push(...round.notes.map((note) => `round ${index} of seed ${options.seed}: ${note}`))
    if (index % 50 === 0) options.progress(`power ${index}/${rounds}`)
  }
  return { rounds, ...total, notes }
}

export function shortfalls(report: PowerReport, options: CrashOptions): string[] {
  const missed: string[] = []
  if (report.lost > 0) missed.push(`${report.lost} acknowledged records were lost`)
  if (report.silent > 0) missed.push(`${report.silent} records were wrong or missing without an error`)
  if (report.falseAlarms > 0) missed.push(`${report.falseAlarms} logs were called damaged that were not`)
  if (report.rounds < (options.rounds ?? ROUNDS)) missed.push(`only ${report.rounds} rounds ran`)
  if (report.losses < report.rounds) missed.push(`the power failed only ${report.losses} times`)
  return missed
}

class PowerRound {
  readonly ledger = new LogLedger()
  readonly notes: string[] = []
  lost = 0
  silent = 0
  falseAlarms = 0
  losses = 0
  readonly #random: Random
  readonly #clock = new SimulatedClock()
  readonly #disk: SimulatedDisk
  readonly #sync: SyncPolicy
  readonly #segmentBytes: number

  constructor(seed: number) {
    this.#random = seededRandom(seed)
    this.#disk = new SimulatedDisk({ random: seededRandom(seed ^ 0x5bd1e995) })
    const policy = this.#random.float()
    if (policy < 0.65) this.#sync = { kind: 'group' }
    else this.#sync = policy < 0.8 ? { kind: 'interval', intervalMs: INTERVAL_MS } : { kind: 'os' }
    this.#segmentBytes = 2_000 + this.#pick(20_000)
  }

  #pick(below: number): number {
    return Math.floor(this.#random.float() * below)
  }

  async run(): Promise<void> {
    const lives = 1 + this.#pick(LIVES_MAX)
    for (let life = 0; life < lives; life += 1) {
      await this.#live()
      if (!this.#disk.isOff && (life === lives - 1 || this.#random.float() < 0.7)) this.#disk.losePower()
      if (this.#disk.isOff) this.losses += 1
      // Without a power loss this is a death of the process alone, or a restart after a clean end.
      this.#disk.heal()
      this.#disk.restart()
    }
    await this.#examine()
  }

  #open(): Promise<Log> {
    return openLog({
      disk: this.#disk,
      clock: this.#clock,
      directory: 'data/log',
      sync: this.#sync,
      segmentBytes: this.#segmentBytes,
      groupBytesMax: 1_000 + this.#pick(30_000),
      idleMs: 20,
    })
  }

  async #live(): Promise<void> {
    if (this.#random.float() < 0.3) {
      this.#disk.fail({ call: 'writev', nth: 1 + this.#pick(12), errno: this.#random.float() < 0.5 ? 'ENOSPC' : 'EIO' })
    }
    if (this.#random.float() < 0.8) this.#disk.failPowerAt(1 + this.#pick(120))
    else if (this.#random.float() < 0.5) {
      this.#disk.fail({ call: 'fdatasync', nth: 1 + this.#pick(12), errno: 'EIO' })
    }
    let log: Log
    try {
      log = await this.#open()
    } catch {
      return
    }
    await this.#note(log)
    // Short lives matter most: what one has left behind lies just past the end, where the next one begins to write.
    let appends = this.#random.float() < 0.5 ? 1 + this.#pick(4) : 5 + this.#pick(80)
    const waitingMax = this.#random.float() < 0.5 ? 5 : 40
    const waiting = new Set<Promise<unknown>>()
    for (let index = 0; index < appends && !this.#disk.isOff; index += 1) {
      const durability = this.#sync.kind === 'group' && this.#random.float() < 0.8 ? 'durable' : 'written'
      const done = this.ledger.append(log, 1 + this.#pick(3), durability).then((attempt) => {
        if (attempt.outcome === 'refused' && this.#random.float() < 0.7) appends = index + 2
      })
      waiting.add(done)
      void done.finally(() => waiting.delete(done))
      if (waiting.size > this.#pick(waitingMax)) await Promise.race(waiting)
      if (this.#random.float() < 0.1) await this.#pass(log)
      if (this.#random.float() < 0.1) await this.#note(log)
      if (this.#random.float() < 0.03)
        await this.ledger.advanceStart(log, Math.floor(log.endOffset * this.#random.float()))
    }
    await Promise.all(waiting)
    const end = this.#random.float()
    if (end < 0.3) await log.drain().catch(() => undefined)
    else if (end < 0.6) await log.close().catch(() => undefined)
  }

  /** Lets time pass, so that intervals end and checkpoints are written. What an interval has covered is promised then. */
  async #pass(log: Log): Promise<void> {
    const upTo = log.endOffset
    await this.#clock.advance(INTERVAL_MS * 2)
    await this.#clock.settle()
    if (this.#sync.kind === 'interval' && !this.#disk.isOff && !log.status().poisoned) {
      await this.#see(log, upTo)
    }
  }

  /** Under `group`, what readers see is synced: they must find it for ever. */
  async #note(log: Log): Promise<void> {
    if (this.#sync.kind === 'group') await this.#see(log, log.endOffset)
  }

  async #see(log: Log, upTo: number): Promise<void> {
    const found = await readBack(log)
    if (this.#disk.isOff) return
    for (const { offset, text } of found.records) {
      const number = numberIn(text)
      if (number !== undefined && offset < upTo) this.ledger.seen.set(offset, number)
    }
  }

  async #examine(): Promise<void> {
    const log = await this.#open()
    const found = await readBack(log, 1 + this.#pick(20_000))
    const verdict = judge(this.ledger, found)
    this.lost += verdict.lost
    this.silent += verdict.silent
    this.notes.push(...verdict.notes)
    if (log.status().quarantined.length > 0) {
      this.falseAlarms += 1
      this.notes.push(`called damaged: ${JSON.stringify(log.status().quarantined)}`)
    }
    await log.close()
  }
}
