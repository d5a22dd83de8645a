import { type Clock, errorText, SkeinError, type Timer } from '../../core/index.ts'
import { CommandRejected } from './command-rejected.ts'
import type { FinalState, OutcomeReason, StoredOutcome } from './outcome.ts'
import { doneWith } from './reply-bound.ts'

/** An outcome without its time, which whoever stores it fills in. */
export type Verdict = Omit<StoredOutcome, 'atMs'>

export interface HandlerRunOptions {
  readonly clock: Clock
  /** Calls the handler and encodes its reply. */
  readonly call: (signal: AbortSignal) => Promise<Uint8Array | string | undefined>
  readonly completeWithinMs: number | undefined
  /** How long the handler may go on after its abort before it counts as finished. */
  readonly abortGraceMs: number
}

/** One running handler. Its verdict is what comes first: its return, its throw, its time limit, or an abort. */
export class HandlerRun {
  /** Never rejects. */
  readonly verdict: Promise<Verdict>
  /** Resolves when the handler has returned or thrown, or its grace after an abort is over. Never rejects. */
  readonly finished: Promise<void>
  readonly #options: HandlerRunOptions
  readonly #controller = new AbortController()
  readonly #decided = Promise.withResolvers<Verdict>()
  readonly #over = Promise.withResolvers<void>()
  #limit: Timer | undefined
  #grace: Timer | undefined

  constructor(options: HandlerRunOptions) {
    this.#options = options
    this.verdict = this.#decided.promise
    this.finished = this.#over.promise
    if (options.completeWithinMs !== undefined) {
      const message = `It ran longer than ${options.completeWithinMs} ms`
      this.#limit = options.clock.setTimer(
        () => this.abort({ state: 'failed', reason: 'timed-out', message }),
        options.completeWithinMs,
      )
    }
    void this.#run()
  }

  /** Aborts the handler's signal; its verdict is this one, unless it had come to an end before. */
  abort(verdict: Verdict): void {
    if (this.#controller.signal.aborted) return
    this.#decided.resolve(verdict)
    this.#grace = this.#options.clock.setTimer(() => this.#over.resolve(), this.#options.abortGraceMs)
    this.#controller.abort(new SkeinError('aborted', `The command was aborted: ${verdict.message ?? verdict.state}`))
  }

  async #run(): Promise<void> {
    try {
      const reply = await this.#options.call(this.#controller.signal)
      this.#decided.resolve(reply === undefined ? { state: 'done' } : doneWith(reply))
    } catch (error) {
      this.#decided.resolve(verdictOf(error))
    }
    this.#limit?.cancel()
    this.#grace?.cancel()
    this.#over.resolve()
  }
}

function verdictOf(error: unknown): Verdict {
  const [state, reason]: [FinalState, OutcomeReason] = isRefusal(error)
    ? ['rejected', 'refused']
    : ['failed', 'handler-failed']
  return { state, reason, message: errorText(error) }
}

/** A handler may throw anything: of some objects even the class cannot be asked. */
function isRefusal(error: unknown): boolean {
  try {
    return error instanceof CommandRejected
  } catch {
    return false
  }
}
