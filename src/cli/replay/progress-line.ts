import type { CommandContext } from '../context.ts'
import type { RowPublisher } from './publish-rows.ts'

const REDRAW_MS = 200

/** The line that shows how far a replay is, where somebody watches. */
export class ProgressLine {
  readonly #context: CommandContext
  readonly #sizeBytes: number | undefined
  readonly #startedAtMs: number
  #bytesRead = 0
  #shownAtMs: number

  constructor(context: CommandContext, sizeBytes: number | undefined) {
    this.#context = context
    this.#sizeBytes = sizeBytes
    this.#startedAtMs = context.clock.monotonicMs()
    this.#shownAtMs = this.#startedAtMs
  }

  /** Passes the chunks on and counts them, as they lie in the file. */
  async *counted(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      this.#bytesRead += chunk.length
      yield chunk
    }
  }

  show({ rows, acked }: RowPublisher): void {
    const nowMs = this.#context.clock.monotonicMs()
    if (nowMs - this.#shownAtMs < REDRAW_MS) return
    this.#shownAtMs = nowMs
    const rate = Math.round((rows * 1_000) / (nowMs - this.#startedAtMs))
    const percent = this.#sizeBytes ? `${Math.floor((this.#bytesRead * 100) / this.#sizeBytes)} % read, ` : ''
    this.#context.terminal.progress(`${percent}${rows} rows, ${acked} acknowledged, ${rate}/s`)
  }

  clear(): void {
    this.#context.terminal.progress('')
  }
}
