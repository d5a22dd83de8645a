import { SkeinError } from '../../../src/core/index.ts'
import { type Log, openLog } from '../../../src/log/index.ts'
import { type DiskCall, type DiskErrno, SimulatedClock, SimulatedDisk, seededRandom } from '../../../testing/index.ts'
import { judge } from '../log/judge.ts'
import { LogLedger } from '../log/log-ledger.ts'
import { readBack } from '../log/read-back.ts'
import type { SyscallCase } from './case.ts'

const ERRNOS: Readonly<Record<DiskCall, readonly DiskErrno[]>> = {
  open: ['EMFILE', 'EIO'],
  create: ['ENOSPC', 'EROFS'],
  list: ['EIO'],
  mkdir: ['ENOSPC', 'EROFS'],
  fsyncdir: ['EIO'],
  rename: ['ENOSPC', 'EIO'],
  link: ['ENOSPC', 'EIO'],
  unlink: ['EROFS'],
  stat: ['EIO'],
  writev: ['ENOSPC', 'EIO'],
  read: ['EIO'],
  fdatasync: ['EIO'],
  ftruncate: ['EIO'],
  fstat: ['EIO'],
  close: ['EIO'],
}

/** Every call of the workload on the simulated disk; at most `casesMax`, evenly chosen. */
export async function* simulatedCases(seed: number, casesMax: number | undefined): AsyncGenerator<SyscallCase> {
  const plans: Array<{ call: DiskCall; nth: number; errno: DiskErrno; forGood: boolean }> = []
  for (const [call, count] of await countCalls()) {
    for (let nth = 1; nth <= count; nth += 1) {
      for (const errno of ERRNOS[call]) for (const forGood of [false, true]) plans.push({ call, nth, errno, forGood })
    }
  }
  const step = Math.max(1, plans.length / (casesMax ?? plans.length))
  for (let at = 0; at < plans.length; at += step) {
    const plan = plans[Math.floor(at)]!
    // Half of the machines lose their power afterwards, half only the process.
    for (const end of ['power', 'kill'] as const) yield runCase(plan, end, seed + Math.floor(at))
  }
}

async function countCalls(): Promise<ReadonlyMap<DiskCall, number>> {
  const disk = new SimulatedDisk()
  const life = new Life(disk)
  await life.work()
  if (life.untyped.length > 0) throw new Error(`the workload fails by itself: ${life.untyped}`)
  return disk.calls
}

async function runCase(
  plan: { readonly call: DiskCall; readonly nth: number; readonly errno: DiskErrno; readonly forGood: boolean },
  end: 'power' | 'kill',
  seed: number,
): Promise<SyscallCase> {
  const disk = new SimulatedDisk({ random: seededRandom(seed) })
  const life = new Life(disk)
  disk.fail(plan)
  await life.work()
  disk.heal()
  await life.goOn()
  if (end === 'power') disk.losePower()
  else disk.kill()
  disk.restart()
  const notes = [...life.untyped]
  let lost = 0
  try {
    const log = await life.open()
    const verdict = judge(life.ledger, await readBack(log))
    notes.push(...verdict.notes)
    lost = verdict.lost
    const silent = life.untyped.length + verdict.silent
    await log.close()
    return { call: plan.call, what: describe(plan, end), silent, lost, notes }
  } catch (error) {
    notes.push(`opening afterwards failed: ${error}`)
    return { call: plan.call, what: describe(plan, end), silent: notes.length, lost, notes }
  }
}

function describe(plan: object, end: string): string {
  return `${JSON.stringify(plan)} then ${end}`
}

/** A log's life with all that it does to a disk, going on through failures. */
class Life {
  readonly ledger = new LogLedger()
  /** What failed without a type, or did not come back when the cause was gone. */
  readonly untyped: string[] = []
  readonly #disk: SimulatedDisk
  readonly #clock = new SimulatedClock()
  #log: Log | undefined

  constructor(disk: SimulatedDisk) {
    this.#disk = disk
  }

  open(): Promise<Log> {
    return openLog({ disk: this.#disk, clock: this.#clock, directory: 'data/log', segmentBytes: 1_500, idleMs: 10 })
  }

  async work(): Promise<void> {
    await this.#reopen()
    await this.#append(4)
    await this.#clock.advance(50)
    await this.#attempt('read', async (log) => void (await readBack(log)))
    await this.#append(5)
    await this.#attempt('advance', (log) => this.ledger.advanceStart(log, 9))
    await this.#attempt('search', async (log) => void (await log.offsetAtTime(this.#clock.nowMs())))
    await this.#attempt('close', (log) => log.close())
    await this.#reopen()
    await this.#attempt('read', async (log) => void (await readBack(log)))
    await this.#append(3)
    // Some at once, so that groups hold several.
    if (this.#log !== undefined) {
      const log = this.#log
      await Promise.all([1, 2, 3].map((count) => this.ledger.append(log, count, 'durable')))
    }
  }

  /** The cause is gone: the same log goes on, or says that it needs a restart, after which it does. */
  async goOn(): Promise<void> {
    if (this.#log === undefined || this.#log.status().poisoned) {
      await this.#log?.close().catch((error: unknown) => this.#check('close', error))
      await this.#reopen()
    }
    if (this.#log === undefined) {
      this.untyped.push('the log did not open after the disk had healed')
      return
    }
    const attempt = await this.ledger.append(this.#log, 2, 'durable')
    if (attempt.outcome !== 'acknowledged') this.untyped.push('appends did not work again after the disk had healed')
  }

  async #reopen(): Promise<void> {
    this.#log = undefined
    try {
      this.#log = await this.open()
    } catch (error) {
      this.#check('open', error)
    }
  }

  async #append(times: number): Promise<void> {
    for (let index = 0; index < times && this.#log !== undefined; index += 1) {
      await this.ledger.append(this.#log, 2, 'durable')
    }
  }

  async #attempt(what: string, work: (log: Log) => Promise<void>): Promise<void> {
    if (this.#log === undefined) return
    try {
      await work(this.#log)
    } catch (error) {
      this.#check(what, error)
    }
  }

  #check(what: string, error: unknown): void {
    if (!(error instanceof SkeinError)) this.untyped.push(`${what} failed without a type: ${error}`)
    else if (error.code === 'corrupt') this.untyped.push(`${what} called the log damaged: ${error.message}`)
  }
}
