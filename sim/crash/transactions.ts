import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { connectKafkaBus, type KafkaBus } from '../../src/bus/drivers/kafka/index.ts'
import { SkeinError } from '../../src/core/index.ts'
import { systemClock, systemRandom } from '../../src/core/system/index.ts'
import { findService } from '../../test/services/find-service.ts'
import { seededRandom } from '../../testing/index.ts'
import { checkOutputs, type OutputFindings } from './transactions/check-outputs.ts'
import { consoleConsumer } from './transactions/console-consumer.ts'
import type { CrashOptions } from './variant.ts'

const INPUTS = 10_000
const KILLS = 10
const PARTITIONS = 4
const KEYS = 64
const INPUT = 'crash.inputs'
const OUTPUT = 'crash.outputs'
const KILL_WITHIN_MS = 12
const DONE_WITHIN_MS = 300_000
const LOOK_AGAIN_MS = 250

export interface TransactionsReport extends OutputFindings {
  readonly input: number
  readonly kills: number
  /** Records of transactions that a kill left open: a reader of uncommitted messages sees them beside the rest. */
  readonly aborted: number
  readonly checkedBy: string
}

/**
 * Messages are consumed, processed and produced on Kafka in transactions while the processor is killed, again and again.
 * Kafka's own console consumer then reads what is committed. `rounds` is the number of kills.
 */
export async function run(
  options: CrashOptions,
  size = { inputs: INPUTS, kills: options.rounds ?? KILLS },
): Promise<TransactionsReport> {
  const service = await (await findService('kafka', options.progress)).start()
  try {
    const bus = await connectKafkaBus({ url: service.url, clock: systemClock, random: systemRandom })
    try {
      await writeInputs(bus, size.inputs)
      await processAll(bus, { url: service.url, options, ...size })
      options.progress('reading what is committed')
      const committed = await consoleConsumer(service.url, { topic: OUTPUT, isolation: 'read_committed' })
      const all = await consoleConsumer(service.url, { topic: OUTPUT, isolation: 'read_uncommitted' })
      return {
        input: size.inputs,
        kills: size.kills,
        ...checkOutputs(committed, size.inputs),
        aborted: all.length - committed.length,
        checkedBy: `console consumer of Apache Kafka ${service.version}, read_committed`,
      }
    } finally {
      await bus.close()
    }
  } finally {
    await service.stop()
  }
}

export function shortfalls(report: TransactionsReport): string[] {
  const checks: ReadonlyArray<readonly [boolean, string]> = [
    [report.outputsOnce === report.input, `${report.outputsOnce} of ${report.input} have one output`],
    [report.missing === 0, `${report.missing} inputs have no output`],
    [report.doubled === 0, `${report.doubled} inputs have several outputs`],
    [report.strange === 0, `${report.strange} outputs belong to no input`],
    [report.aborted > 0, 'no kill met an open transaction: the run shows nothing'],
  ]
  return checks.filter(([holds]) => !holds).map(([, sentence]) => sentence)
}

async function writeInputs(bus: KafkaBus, inputs: number): Promise<void> {
  await bus.open({ name: INPUT, intent: 'telemetry', partitions: PARTITIONS })
  await bus.open({ name: OUTPUT, intent: 'telemetry', partitions: PARTITIONS })
  const writer = bus.writer(INPUT)
  await writer.write(
    Array.from({ length: inputs }, (_, number) => ({
      subject: INPUT,
      key: `key-${number % KEYS}`,
      value: String(number),
    })),
  )
  await writer.drain()
}

interface Progress {
  readonly url: string
  readonly options: CrashOptions
  readonly inputs: number
  readonly kills: number
}

/** Processors, one after another, each killed when its share is done; the last one finishes. */
async function processAll(bus: KafkaBus, progress: Progress): Promise<void> {
  const random = seededRandom(progress.options.seed)
  for (let kill = 1; kill <= progress.kills; kill += 1) {
    const processor = new Processor(progress.url)
    await processor.untilCommitted(Math.floor(progress.inputs / (progress.kills + 1) / 2))
    // Half of them anywhere, the other half when a transaction has just got its messages.
    if (kill % 2 === 1) await processor.untilOpen()
    else await delay(random.float() * KILL_WITHIN_MS)
    await processor.kill()
    progress.options.progress(`${kill} of ${progress.kills} kills`)
  }
  const last = new Processor(progress.url)
  await untilDone(bus)
  await last.kill()
}

async function untilDone(bus: KafkaBus): Promise<void> {
  const deadline = performance.now() + DONE_WITHIN_MS
  for (;;) {
    const lag = await bus.admin.lag(INPUT, 'processor').catch((error: unknown) => {
      // Places are unstable while a transaction of the killed one is still open.
      if (error instanceof SkeinError && error.retryable) return undefined
      throw error
    })
    if (lag?.every(({ messages }) => messages === 0)) return
    if (performance.now() > deadline) throw new Error(`the processor was not done within ${DONE_WITHIN_MS / 1_000} s`)
    await delay(LOOK_AGAIN_MS)
  }
}

class Processor {
  readonly #child: ChildProcess
  #committed = 0
  #isOpen = false
  #wake: () => void = () => {}

  constructor(url: string) {
    const program = fileURLToPath(import.meta.resolve('./transactions/processor.ts'))
    this.#child = spawn(process.execPath, [program, url, INPUT, OUTPUT], { stdio: ['ignore', 'pipe', 'inherit'] })
    createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      this.#isOpen = line === 'open'
      if (line.startsWith('committed ')) this.#committed += Number(line.slice('committed '.length))
      this.#wake()
    })
  }

  untilCommitted(count: number): Promise<void> {
    return this.#until(() => this.#committed >= count)
  }

  untilOpen(): Promise<void> {
    return this.#until(() => this.#isOpen)
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      if (this.#child.exitCode !== null) throw new Error(`the processor ended by itself with ${this.#child.exitCode}`)
      await Promise.race([new Promise<void>((resolve) => (this.#wake = resolve)), delay(LOOK_AGAIN_MS)])
    }
  }

  async kill(): Promise<void> {
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await ended
  }
}
