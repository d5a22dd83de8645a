import type { Clock, Timer } from '../core/index.ts'

const LOOK_EVERY_MS = 2_000

/** A segment of a log that was set aside because what is in it is not what was written. */
export interface DamagedSegment {
  readonly topic: string
  readonly partition: number
  readonly file: string
  readonly firstOffset: number
  readonly reason: string
}

/** Tells once of every segment that is found damaged: whoever reads there learns of it, and so must whoever runs the node. */
export class DamageWatch {
  readonly #clock: Clock
  readonly #list: () => readonly DamagedSegment[]
  readonly #onFound: (segment: DamagedSegment) => void
  readonly #told = new Set<string>()
  #timer: Timer | undefined

  constructor(
    list: () => readonly DamagedSegment[],
    options: { readonly clock: Clock; readonly onFound: (segment: DamagedSegment) => void },
  ) {
    this.#list = list
    this.#clock = options.clock
    this.#onFound = options.onFound
    this.#look()
  }

  /** What is known to be damaged now. */
  get found(): readonly DamagedSegment[] {
    return this.#list()
  }

  #look(): void {
    for (const segment of this.#list()) {
      const name = `${segment.topic}/${segment.partition}/${segment.file}`
      if (this.#told.has(name)) continue
      this.#told.add(name)
      this.#onFound(segment)
    }
    this.#timer = this.#clock.setTimer(() => this.#look(), LOOK_EVERY_MS)
  }

  close(): void {
    this.#timer?.cancel()
  }
}
