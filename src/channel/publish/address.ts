import { SkeinError } from '../../core/index.ts'
import type { AgentIdentity } from '../ports.ts'
import type { AnyChannel } from '../topics-of.ts'

/** Values for fields of a pattern that neither the identity nor the value has. */
export type SubjectFields = Readonly<Record<string, string | number>>

const SUBJECTS_CACHED_MAX = 10_000

type Fields = Readonly<Record<string, unknown>>
type SubjectTree = Map<string, SubjectTree | string>

/**
 * Where a value of one channel goes, under one identity: the pattern filled from the identity, from what the call gave
 * and from the value, and the key. Filled subjects are remembered, so that a repeated one is a lookup and the same string.
 */
export class Address {
  /** Of the last value resolved. */
  subject = ''
  key: string | undefined
  readonly #channel: AnyChannel
  readonly #fields: readonly string[]
  /** In the order of the pattern's fields; undefined where the identity says nothing. */
  readonly #fixed: ReadonlyArray<string | undefined>
  readonly #fixedSubject: string | undefined
  readonly #keyIndex: number
  readonly #values: string[]
  #cache: SubjectTree = new Map()
  #cached = 0

  constructor(channel: AnyChannel, identity: AgentIdentity | undefined) {
    this.#channel = channel
    this.#fields = channel.subject.fields
    this.#fixed = this.#fields.map((field) => identityField(identity, field))
    this.#values = this.#fixed.map((value) => value ?? '')
    this.#fixedSubject = this.#fixed.includes(undefined) ? undefined : channel.subject.fill(this.#values)
    this.#keyIndex = channel.key === undefined ? -1 : this.#fields.indexOf(channel.key)
  }

  /** Throws `bad-subject` for a field without a usable value, `bad-argument` for one that contradicts the identity. */
  resolve(value: unknown, given: SubjectFields | undefined): void {
    const fields = (typeof value === 'object' && value !== null ? value : undefined) as Fields | undefined
    for (let index = 0; index < this.#fields.length; index += 1) {
      this.#values[index] = this.#resolveField(index, fields, given)
    }
    this.subject = this.#fixedSubject ?? this.#filled()
    this.key = this.#keyOf(fields)
  }

  #resolveField(index: number, fields: Fields | undefined, given: SubjectFields | undefined): string {
    const name = this.#fields[index]!
    const fixed = this.#fixed[index]
    const own = fields?.[name]
    const named = given?.[name]
    if (fixed === undefined) return this.#text(name, named ?? own)
    if (own !== undefined && own !== fixed) throw this.#conflict(name, fixed, own)
    if (named !== undefined && named !== fixed) throw this.#conflict(name, fixed, named)
    return fixed
  }

  #text(name: string, value: unknown): string {
    if (typeof value === 'string') return value
    if (typeof value === 'number') return String(value)
    const pattern = this.#channel.subject.pattern
    throw new SkeinError(
      'bad-subject',
      `Cannot fill {${name}} of "${pattern}": give it in the value or in \`fields\``,
      {
        details: { pattern, field: name },
      },
    )
  }

  #keyOf(fields: Fields | undefined): string | undefined {
    if (this.#keyIndex !== -1) return this.#values[this.#keyIndex]
    const name = this.#channel.key
    if (name === undefined) return undefined
    const value = fields?.[name]
    if (typeof value === 'string' && value.isWellFormed()) return value
    if (typeof value === 'number' || typeof value === 'boolean') return String(value)
    throw new SkeinError(
      'bad-argument',
      `Cannot publish on "${this.#channel.subject.pattern}": the key field "${name}" is missing, no text, or has half of a surrogate pair`,
      { details: { field: name } },
    )
  }

  #filled(): string {
    let tree = this.#cache
    const last = this.#values.length - 1
    for (let index = 0; index < last; index += 1) {
      let next = tree.get(this.#values[index]!) as SubjectTree | undefined
      if (next === undefined) {
        next = new Map()
        tree.set(this.#values[index]!, next)
      }
      tree = next
    }
    const found = tree.get(this.#values[last]!) as string | undefined
    return found ?? this.#fillAndCache(tree, this.#values[last]!)
  }

  #fillAndCache(tree: SubjectTree, last: string): string {
    const subject = this.#channel.subject.fill(this.#values)
    this.#cached += 1
    if (this.#cached > SUBJECTS_CACHED_MAX) {
      this.#cache = new Map()
      this.#cached = 0
    } else {
      tree.set(last, subject)
    }
    return subject
  }

  #conflict(name: string, fixed: string, given: unknown): SkeinError {
    return new SkeinError(
      'bad-argument',
      `Cannot publish on "${this.#channel.subject.pattern}": {${name}} is "${fixed}" by identity, the call says ${JSON.stringify(given)}`,
      { details: { field: name, identity: fixed } },
    )
  }
}

function identityField(identity: AgentIdentity | undefined, field: string): string | undefined {
  if (identity === undefined) return undefined
  if (field === 'agentId') return identity.id
  if (field === 'region') return identity.region
  if (field === 'agentType') return identity.type
  return undefined
}
