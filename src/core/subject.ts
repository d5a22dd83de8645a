import { SkeinError } from './errors.ts'

/** DESIGN limits of topics and subjects. */
export const SUBJECT_LEVELS_MAX = 32
export const SUBJECT_BYTES_MAX = 512

// One level: no dots, spaces, control characters or wildcards. Anything else that is printable is allowed.
const LEVEL = /^[^\s.*>{}\p{Cc}]+$/u

/** Checks a concrete subject or topic (`swarm.telemetry.north.drone-7`). Throws `bad-subject` saying what is wrong. */
export function checkSubject(subject: string, what = 'subject'): void {
  checkShape(subject, what)
  for (const level of subject.split('.')) {
    if (!LEVEL.test(level)) throw badSubject(subject, what, `level "${level}" is empty or has a reserved character`)
  }
}

/** Checks a filter: a subject in which `*` stands for one whole level and a last `>` for one or more. */
export function checkFilter(filter: string): void {
  checkShape(filter, 'subject filter')
  const levels = filter.split('.')
  for (const [index, level] of levels.entries()) {
    if (level === '*' || (level === '>' && index === levels.length - 1)) continue
    if (!LEVEL.test(level)) {
      throw badSubject(filter, 'subject filter', `level "${level}" is empty, reserved, or a wildcard out of place`)
    }
  }
}

/** Whether a concrete subject falls under a filter. Both must have been checked. */
export function matchesFilter(filter: string, subject: string): boolean {
  if (filter === subject || filter === '>') return true
  const wanted = filter.split('.')
  const levels = subject.split('.')
  for (let index = 0; index < wanted.length; index += 1) {
    if (wanted[index] === '>') return levels.length > index
    if (index >= levels.length) return false
    if (wanted[index] !== '*' && wanted[index] !== levels[index]) return false
  }
  return wanted.length === levels.length
}

/** Whether every subject that `inner` matches is matched by `outer`: what an authorised subscription needs. */
export function containsFilter(outer: string, inner: string): boolean {
  const wide = outer.split('.')
  const narrow = inner.split('.')
  for (let index = 0; index < wide.length; index += 1) {
    if (wide[index] === '>') return narrow.length > index
    if (index >= narrow.length || narrow[index] === '>') return false
    if (wide[index] !== '*' && wide[index] !== narrow[index]) return false
  }
  return wide.length === narrow.length
}

/** A pattern such as `swarm.telemetry.{region}.{agentId}`: a topic (the static prefix) and fields to fill in. */
export interface SubjectPattern {
  readonly pattern: string
  /** The levels before the first field. Never empty. */
  readonly topic: string
  /** Names of the fields, in order. */
  readonly fields: readonly string[]
  /** The pattern with every field as `*`. */
  readonly filter: string
  /** Puts the values in, in the order of `fields`. Throws `bad-subject` for a value that is no single level. */
  fill(values: readonly string[]): string
  /** The filter with the given fields fixed and the others as `*`. */
  filterWith(values: Readonly<Record<string, string>>): string
  /** The values of the fields in a subject of this pattern, or undefined when it is none. */
  parse(subject: string): Readonly<Record<string, string>> | undefined
}

/** Compiles a pattern once. A field is a whole level in braces; the first level must be static. */
export function compilePattern(pattern: string): SubjectPattern {
  checkShape(pattern, 'subject pattern')
  const levels = pattern.split('.')
  const names = levels.map((level) => fieldName(level))
  for (const [index, level] of levels.entries()) {
    if (names[index] === undefined && !LEVEL.test(level)) {
      throw badSubject(pattern, 'subject pattern', `level "${level}" is neither a plain level nor a {field}`)
    }
  }
  const fields = names.filter((name) => name !== undefined)
  if (new Set(fields).size !== fields.length) throw badSubject(pattern, 'subject pattern', 'a field stands in it twice')
  const first = names.findIndex((name) => name !== undefined)
  if (first === 0) throw badSubject(pattern, 'subject pattern', 'its first level must be static: it names the topic')
  return {
    pattern,
    topic: (first === -1 ? levels : levels.slice(0, first)).join('.'),
    fields,
    filter: levels.map((level, index) => (names[index] === undefined ? level : '*')).join('.'),
    fill: (values) => fillLevels(pattern, levels, names, values),
    filterWith: (values) =>
      levels.map((level, index) => (names[index] === undefined ? level : (values[names[index]] ?? '*'))).join('.'),
    parse: (subject) => parseLevels(levels, names, subject),
  }
}

function fillLevels(
  pattern: string,
  levels: readonly string[],
  names: ReadonlyArray<string | undefined>,
  values: readonly string[],
): string {
  let next = 0
  let subject = ''
  for (let index = 0; index < levels.length; index += 1) {
    let level = levels[index]!
    if (names[index] !== undefined) {
      level = values[next] ?? ''
      next += 1
      if (!LEVEL.test(level)) throw badSubject(pattern, 'subject pattern', `"${level}" cannot fill {${names[index]}}`)
    }
    subject = index === 0 ? level : `${subject}.${level}`
  }
  checkShape(subject, 'subject')
  return subject
}

function parseLevels(
  levels: readonly string[],
  names: ReadonlyArray<string | undefined>,
  subject: string,
): Readonly<Record<string, string>> | undefined {
  const given = subject.split('.')
  if (given.length !== levels.length) return undefined
  const values: Record<string, string> = {}
  for (let index = 0; index < levels.length; index += 1) {
    const name = names[index]
    if (name !== undefined) values[name] = given[index]!
    else if (levels[index] !== given[index]) return undefined
  }
  return values
}

function fieldName(level: string): string | undefined {
  return /^\{([A-Za-z][A-Za-z0-9_]*)\}$/.exec(level)?.[1]
}

function checkShape(text: string, what: string): void {
  if (text === '') throw badSubject(text, what, 'it is empty')
  // As UTF-8 all of them are one and the same character: two names would become one on the wire.
  if (!text.isWellFormed()) throw badSubject(text, what, 'it has half of a surrogate pair, which is no character')
  if (text.length > SUBJECT_BYTES_MAX || Buffer.byteLength(text) > SUBJECT_BYTES_MAX) {
    throw badSubject(text, what, `it is longer than ${SUBJECT_BYTES_MAX} bytes`)
  }
  let levels = 1
  for (let index = 0; index < text.length; index += 1) if (text.charCodeAt(index) === 46) levels += 1
  if (levels > SUBJECT_LEVELS_MAX) throw badSubject(text, what, `it has more than ${SUBJECT_LEVELS_MAX} levels`)
}

function badSubject(subject: string, what: string, why: string): SkeinError {
  const shown = subject.length > 80 ? `${subject.slice(0, 80)}…` : subject
  return new SkeinError('bad-subject', `Cannot use "${shown}" as a ${what}: ${why}`, {
    details: { subject: shown, why },
  })
}
