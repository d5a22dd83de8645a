import type { z } from 'zod'
import { nearest } from '../../core/index.ts'

/** What a setting must be, in our words, by what the schema calls it. */
const KINDS: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map of settings',
  record: 'a map of settings',
}

/** Why the schema refused a value; of one that is no valid word, which was most likely meant. */
export function reasonOf(issue: z.core.$ZodIssue, given: unknown): string {
  switch (issue.code) {
    case 'invalid_type': {
      const kind = KINDS[issue.expected] ?? issue.expected
      return given === undefined ? `it is missing; it must be ${kind}` : `it must be ${kind}, not ${shown(given)}`
    }
    case 'too_small':
      if (issue.origin === 'string') return 'it must not be empty'
      return `it must be ${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}, not ${shown(given)}`
    case 'too_big':
      return `it must be ${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}, not ${shown(given)}`
    case 'invalid_value':
      return noWord(issue.values.map(String), given)
    default:
      return issue.message
  }
}

function noWord(words: readonly string[], given: unknown): string {
  const all = words.map((word) => `"${word}"`).join('|')
  if (given === undefined) return `it is missing; it must be one of ${all}`
  const near = typeof given === 'string' ? nearest(given, words) : undefined
  const hint = near === undefined ? '' : `; did you mean "${near}"?`
  return `${shown(given)} is none of ${all}${hint}`
}

const SHOWN_MAX = 60

/** A secret may have been put in the wrong place: of a map or list only that it is one is said. */
function shown(value: unknown): string {
  if (value === null) return 'empty'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a map'
  const text = JSON.stringify(value)
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text
}
