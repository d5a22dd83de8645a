import { type Durability, type Message, type Receipt, satisfies, WriteError, type Writer } from '../../bus/index.ts'
import { SkeinError } from '../../core/index.ts'
import { KeyedDigest } from '../digest.ts'
import type { Row } from './columns.ts'

const BATCH_MESSAGES_MAX = 1_000

/** Publishes rows in order, gathered into batches, and counts what receipts acknowledge. */
export class RowPublisher {
  rows = 0
  acked = 0
  durability: Durability | undefined
  readonly #writer: Writer
  readonly #signal: AbortSignal
  readonly #digest = new KeyedDigest()
  #batch: Message[] = []
  #failure: unknown

  constructor(writer: Writer, signal: AbortSignal) {
    this.#writer = writer
    this.#signal = signal
  }

  /** Takes one row; a promise means: the node is behind, wait before the next one. */
  add(row: Row): Promise<void> | undefined {
    this.#batch.push({ subject: row.subject, key: row.key, value: row.payload })
    this.#digest.add(row.key, row.payload)
    this.rows += 1
    return this.#batch.length < BATCH_MESSAGES_MAX ? undefined : this.flush()
  }

  /** Hands over what is gathered. A promise means: the node is behind. Throws what an earlier batch failed with. */
  flush(): Promise<void> | undefined {
    if (this.#failure !== undefined) throw this.#failure
    this.#handOver()
    return this.#writer.full ? this.#writer.drained({ signal: this.#signal }) : undefined
  }

  /** Waits for every receipt. Throws what a batch failed with. */
  async finish(): Promise<void> {
    if (this.#failure === undefined) this.#handOver()
    await this.#writer.drain()
    if (this.#failure !== undefined) throw this.#failure
  }

  digest(): string {
    return this.#digest.value()
  }

  #handOver(): void {
    if (this.#batch.length === 0) return
    const batch = this.#batch
    this.#batch = []
    this.#writer.write(batch).then(
      (receipt) => this.#acknowledged(receipt),
      (error: unknown) => this.#failed(error),
    )
  }

  #acknowledged(receipt: Receipt): void {
    this.acked += receipt.accepted
    // What all of them survive is what the weakest says.
    const isStronger = this.durability !== undefined && satisfies(receipt.durability, this.durability)
    if (!isStronger) this.durability = receipt.durability
  }

  #failed(error: unknown): void {
    if (error instanceof WriteError) this.acked += error.accepted.length
    this.#failure ??= new SkeinError('write-failed', `Cannot go on publishing: ${(error as Error).message}`, {
      cause: error,
      details: { rows: this.rows, acked: this.acked },
    })
  }
}
