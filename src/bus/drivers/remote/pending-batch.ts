import type { SkeinError } from '../../../core/index.ts'
import type { Head } from '../../../wire/index.ts'
import { type Durability, type Position, type Receipt, satisfies, WriteError } from '../../index.ts'
import type { EncodedSection } from './batch-encoder.ts'

interface Outcome {
  readonly section: EncodedSection
  readonly state: 'stored' | 'refused' | 'unknown'
  readonly duplicates: readonly number[]
}

const NONE: readonly number[] = Object.freeze([])

/** One written batch until every part of it is answered: then one receipt, or one error that says what is known. */
export class PendingBatch {
  readonly receipt: Promise<Receipt>
  readonly #resolve: (receipt: Receipt) => void
  readonly #reject: (error: unknown) => void
  readonly #outcomes: Outcome[] = []
  readonly #positions: Position[] = []
  readonly #messages: number
  #open: number
  #accepted = 0
  #durability: Durability | undefined
  #error: SkeinError | undefined

  constructor(options: { readonly messages: number; readonly sections: number }) {
    const { promise, resolve, reject } = Promise.withResolvers<Receipt>()
    this.receipt = promise
    this.#resolve = resolve
    this.#reject = reject
    this.#messages = options.messages
    this.#open = options.sections
  }

  onStored(section: EncodedSection, answer: Head): void {
    const { sequence, accepted, duplicates, durability } = answer
    this.#outcomes.push({ section, state: 'stored', duplicates: (duplicates as readonly number[]) ?? NONE })
    this.#advance({ partition: section.partition, sequence: sequence as number })
    this.#accepted += accepted as number
    this.#durability = weaker(this.#durability, durability as Durability)
    this.#close()
  }

  onFailed(section: EncodedSection, error: SkeinError, mayBeStored: boolean): void {
    this.#outcomes.push({ section, state: mayBeStored ? 'unknown' : 'refused', duplicates: NONE })
    this.#error ??= error
    this.#close()
  }

  #advance(position: Position): void {
    const index = this.#positions.findIndex((known) => known.partition === position.partition)
    if (index === -1) this.#positions.push(position)
    else if (this.#positions[index]!.sequence < position.sequence) this.#positions[index] = position
  }

  #close(): void {
    this.#open -= 1
    if (this.#open > 0) return
    if (this.#error !== undefined) this.#reject(this.#failure(this.#error))
    else this.#resolve(this.#toReceipt())
  }

  #toReceipt(): Receipt {
    const hasDuplicates = this.#outcomes.some((outcome) => outcome.duplicates.length > 0)
    return {
      positions: this.#positions,
      accepted: this.#accepted,
      duplicates: hasDuplicates ? this.#indexes((outcome) => outcome.duplicates) : NONE,
      conflated: NONE,
      durability: this.#durability ?? 'none',
      asserted: false,
    }
  }

  #failure(cause: SkeinError): SkeinError {
    const accepted = this.#indexes((outcome) => (outcome.state === 'stored' ? all(outcome) : NONE))
    const unknown = this.#indexes((outcome) => (outcome.state === 'unknown' ? all(outcome) : NONE))
    // Nothing is in doubt and nothing was stored: the cause itself says it best.
    if (accepted.length === 0 && unknown.length === 0 && cause.code !== 'closed') return cause
    return new WriteError(
      `Cannot say that all ${this.#messages} messages are stored: ${accepted.length} are, ${unknown.length} may be; ${cause.message}`,
      { accepted, unknown, cause, retryable: cause.retryable },
    )
  }

  /** Turns places within sections into places in the batch, ascending. */
  #indexes(pick: (outcome: Outcome) => readonly number[]): readonly number[] {
    return this.#outcomes
      .flatMap((outcome) => pick(outcome).map((place) => outcome.section.indexes[place]!))
      .sort((left, right) => left - right)
  }
}

function all(outcome: Outcome): readonly number[] {
  return Array.from({ length: outcome.section.records.count }, (_, place) => place)
}

function weaker(left: Durability | undefined, right: Durability): Durability {
  return left === undefined || satisfies(left, right) ? right : left
}
