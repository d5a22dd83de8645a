import type { Batch, Bus, Delivery, Position } from '../../bus/index.ts'
import { type Clock, type Random, SkeinError } from '../../core/index.ts'
import { AckTracker } from './ack-tracker.ts'
import { backoffMs } from './backoff.ts'
import type { CommandSource } from './command-source.ts'
import { HandedCommands } from './handed-commands.ts'
import { InHand, type InHandMax } from './in-hand.ts'

/** A command as it came: `done()` once its outcome is stored or it is nobody's. */
export interface Arrival {
  readonly delivery: Delivery
  done(): void
  /** It is no command: to the dead letters. */
  dead(error: string): void
  /** Nothing will be said of it here: it is not acknowledged, and holds no room any more. */
  letGo(): void
}

export interface CommandIntakeOptions {
  readonly bus: Bus
  readonly clock: Clock
  readonly random: Random
  readonly topic: string
  readonly subjects: readonly string[]
  readonly group: string
  /** Commands of this topic are not stored: no group, no acknowledgments; resends make up for what is missed. */
  readonly ephemeral: boolean
  /** The agent, where the broker does not address by subject and the node hands out what is in the topic. */
  readonly handedTo: string | undefined
  /** What may be read and not yet done. */
  readonly inHandMax: () => InHandMax
  readonly onArrival: (arrival: Arrival) => void
  readonly onError: (error: unknown) => void
}

/** Reads an agent's commands from one topic and acknowledges them as far as they are done without a gap. */
export class CommandIntake {
  readonly #options: CommandIntakeOptions
  readonly #inHand: InHand
  readonly #stop = new AbortController()
  readonly #running: Promise<void>
  #reader: CommandSource | undefined

  constructor(options: CommandIntakeOptions) {
    this.#options = options
    this.#inHand = new InHand(options.inHandMax)
    this.#running = this.#readForEver()
  }

  /** Reads nothing more; what is in hand can still be acknowledged. */
  stop(): void {
    this.#stop.abort(new SkeinError('closed', 'Cannot read commands: the receiver is closed'))
  }

  async close(): Promise<void> {
    this.stop()
    await this.#running
    await this.#reader?.close()
  }

  async #readForEver(): Promise<void> {
    let failures = 0
    while (!this.#stop.signal.aborted) {
      try {
        this.#reader = this.#open()
        await this.#readFrom(this.#reader, () => {
          failures = 0
        })
      } catch (error) {
        if (this.#stop.signal.aborted) return
        if (!(error instanceof SkeinError && error.retryable)) this.#options.onError(error)
        await this.#reader?.close().catch(() => {})
        await this.#pause(failures)
        failures += 1
      }
    }
  }

  #open(): CommandSource {
    const { bus, clock, random, topic, subjects, group, ephemeral, handedTo } = this.#options
    if (handedTo !== undefined) return new HandedCommands({ bus, clock, random, topic, agentId: handedTo })
    if (ephemeral) return bus.reader(topic, { mode: 'broadcast', subjects, from: 'latest' })
    return bus.reader(topic, { mode: 'group', group, subjects, from: 'earliest' })
  }

  async #readFrom(reader: CommandSource, onProgress: () => void): Promise<void> {
    const trackers = new Map<number, { readonly generation: number; readonly tracker: AckTracker }>()
    const { signal } = this.#stop
    while (!signal.aborted) {
      const room = await this.#inHand.room(signal)
      const batch = await reader.read({ ...room, signal })
      if (batch === null) continue
      onProgress()
      let known = trackers.get(batch.partition)
      // After a rebalance what was in hand is given again, from the committed position on.
      if (known?.generation !== batch.generation) {
        known = { generation: batch.generation, tracker: new AckTracker() }
        trackers.set(batch.partition, known)
      }
      this.#hand(reader, batch, known.tracker)
    }
  }

  #hand(reader: CommandSource, batch: Batch, tracker: AckTracker): void {
    for (const delivery of batch.deliveries) tracker.given(delivery.position)
    for (const delivery of batch.deliveries) {
      const letGo = this.#inHand.take(bytesOf(delivery))
      const done = () => {
        letGo()
        this.#acknowledge(reader, tracker.done(delivery.position), batch.generation)
      }
      this.#options.onArrival({
        delivery,
        done,
        letGo,
        dead: (error) => {
          if (!this.#options.ephemeral) reader.settle([delivery], 'dead', { error }).catch(this.#options.onError)
          done()
        },
      })
    }
  }

  #acknowledge(reader: CommandSource, through: Position | undefined, generation: number): void {
    if (through === undefined || this.#options.ephemeral) return
    reader.acknowledge(through, generation).catch((error: unknown) => {
      // Not acknowledged means given again, and the inbox knows it then: nothing to do but to look at other failures.
      const expected = error instanceof SkeinError && (error.retryable || GONE.has(error.code))
      if (!expected) this.#options.onError(error)
    })
  }

  async #pause(failures: number): Promise<void> {
    const delayMs = backoffMs(failures, { firstMs: 100, maxMs: 10_000, random: this.#options.random })
    await this.#options.clock.sleep(delayMs, { signal: this.#stop.signal }).catch(() => {})
  }
}

/** What a command and its book-keeping hold in memory, roughly. */
const OVERHEAD_BYTES = 1_000

function bytesOf(delivery: Delivery): number {
  let bytes = OVERHEAD_BYTES + (delivery.value?.byteLength ?? 0)
  for (const value of Object.values(delivery.headers)) bytes += value.length
  return bytes
}

const GONE: ReadonlySet<string> = new Set(['revoked', 'closed', 'connection-lost'])
