import { connect, type Fabric, type PublishReceipt } from '../../src/fabric/index.ts'
import { weakest } from '../weakest.ts'
import { COMMANDED_AGENT, positionsOf, Turn } from './contract.ts'
import { position } from './position.ts'
import { wallMs } from './wall-clock.ts'
import { serveRequests } from './worker.ts'

export interface PublishRequest {
  readonly url: string
  readonly round: string
  /** Values to publish; with commands, as many as it takes until their outcomes are known. */
  readonly messages?: number
  readonly commands?: number
}

export interface Published {
  readonly startedAtMs: number
  /** Everything is acknowledged. */
  readonly endedAtMs: number
  readonly published: number
  readonly acknowledged: number
  readonly durability: string
  /** How long each command waited for its handler. */
  readonly waitedMs?: readonly number[]
}

/** Values published and not acknowledged: well within what the channel lets wait. */
const IN_FLIGHT_MAX = 62_000
const COMMAND_EVERY_MS = 10
/** By then as much is under way as may be, and what is sent is what was acknowledged. */
const SATURATED_FROM = 4 * IN_FLIGHT_MAX

let connecting: Promise<Fabric> | undefined

serveRequests(async ({ url, round, messages, commands }: PublishRequest): Promise<Published> => {
  connecting ??= connect(url, { name: 'bench-publisher' })
  const fabric = await connecting
  if (commands === undefined) return publish(fabric, round, (sequence) => sequence < messages!)
  let isSending = true
  const saturated = Promise.withResolvers<void>()
  const [published, waitedMs] = await Promise.all([
    publish(fabric, round, (sequence) => {
      if (sequence > SATURATED_FROM) saturated.resolve()
      return isSending
    }),
    saturated.promise
      .then(() => sendAll(fabric, commands))
      .finally(() => {
        isSending = false
      }),
  ])
  return { ...published, waitedMs }
})

async function publish(fabric: Fabric, round: string, goesOn: (sequence: number) => boolean): Promise<Published> {
  const positions = positionsOf(round)
  // Opening the topic is not what is measured.
  await fabric.ready(positions)
  const startedAtMs = wallMs()
  const receipts = new Receipts()
  let sequence = 0
  for (; goesOn(sequence); sequence += 1) {
    receipts.add(fabric.publish(positions, position(sequence)))
    if (sequence % 500 !== 499) continue
    await new Promise((resolve) => setImmediate(resolve))
    await receipts.atLeast(sequence - IN_FLIGHT_MAX)
  }
  await receipts.atLeast(sequence)
  const { acknowledged, durability } = receipts
  return { startedAtMs, endedAtMs: wallMs(), published: sequence, acknowledged, durability }
}

/** All values of a batch share one promise and one receipt: each is counted once. */
class Receipts {
  acknowledged = 0
  readonly #levels = new Set<string>()
  readonly #counted = new Set<PublishReceipt>()
  #last: Promise<PublishReceipt> | undefined
  #progress = Promise.withResolvers<void>()

  add(receipt: Promise<PublishReceipt>): void {
    if (receipt === this.#last) return
    this.#last = receipt
    receipt.then(
      (stored) => this.#count(stored),
      (error: unknown) => this.#progress.reject(error),
    )
  }

  #count(stored: PublishReceipt): void {
    if (!this.#counted.has(stored)) this.acknowledged += stored.accepted
    this.#counted.add(stored)
    this.#levels.add(stored.durability)
    this.#progress.resolve()
    this.#progress = Promise.withResolvers()
  }

  /** The weakest level that any receipt carried. */
  get durability(): string {
    return weakest([...this.#levels])
  }

  async atLeast(count: number): Promise<void> {
    while (this.acknowledged < count) await this.#progress.promise
  }
}

/** One every few milliseconds, whether or not the one before has an outcome. */
async function sendAll(fabric: Fabric, commands: number): Promise<readonly number[]> {
  // The first one opens what commands need: the roster, the outcomes.
  await send(fabric)
  const outcomes: Promise<number>[] = []
  for (let index = 0; index < commands; index += 1) {
    outcomes.push(send(fabric))
    await new Promise((resolve) => setTimeout(resolve, COMMAND_EVERY_MS))
  }
  return Promise.all(outcomes)
}

async function send(fabric: Fabric): Promise<number> {
  const outcome = await fabric.send(Turn, COMMANDED_AGENT, { sentAtMs: wallMs() })
  if (outcome.state !== 'done') throw new Error(`A command came to ${JSON.stringify(outcome)}`)
  return outcome.reply.waitedMs
}
