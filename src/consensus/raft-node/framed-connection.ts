import type { Connection } from '../../core/index.ts'
import { FrameDecoder } from './frames.ts'

export interface FramedHandlers {
  /** What it throws ends the connection. */
  onFrame(body: Buffer): void
  /** Once; with what was wrong when this side ended it for that. */
  onEnd(error: Error | undefined): void
}

/** A connection cut into frames. Whoever sends what is no frame is cut off. */
export class FramedConnection {
  handlers: FramedHandlers
  readonly #connection: Connection
  readonly #decoder: FrameDecoder
  #error: Error | undefined
  #hasEnded = false

  constructor(connection: Connection, options: FramedHandlers & { readonly bytesMax: number }) {
    this.handlers = options
    this.#connection = connection
    this.#decoder = new FrameDecoder(options.bytesMax, (body) => this.handlers.onFrame(body))
    connection.receive({
      onBytes: (bytes) => this.#take(bytes),
      onEnd: () => {
        this.#hasEnded = true
        this.handlers.onEnd(this.#error)
      },
    })
  }

  get remote(): string {
    return this.#connection.remote
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  get pendingBytes(): number {
    return this.#connection.pendingBytes
  }

  /** The largest body that is taken from now on. */
  set bytesMax(bytes: number) {
    this.#decoder.bytesMax = bytes
  }

  #take(bytes: Uint8Array): void {
    if (this.#error !== undefined || this.#hasEnded) return
    try {
      this.#decoder.push(bytes)
    } catch (error) {
      this.cut(error as Error)
    }
  }

  write(frames: readonly Uint8Array[]): void {
    this.#connection.write(frames)
  }

  /** Waits while much is pending; rejects never: look at `hasEnded`. */
  drained(): Promise<void> {
    return this.#connection.drained()
  }

  cut(error?: Error): void {
    this.#error ??= error
    this.#connection.destroy()
  }

  /** Sends what is pending, then ends. */
  end(): void {
    this.#connection.end()
  }
}
