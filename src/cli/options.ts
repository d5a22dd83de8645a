import { InvalidArgumentError } from 'commander'

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `500ms`, `2s`, `10m`, `1.5h`, `7d`, or milliseconds as a bare number. */
export function durationMs(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text)
  if (!match) throw new InvalidArgumentError('give a duration such as 500ms, 2s or 10m.')
  return Math.round(Number(match[1]) * UNITS[match[2] ?? 'ms']!)
}

export function wholeNumber(min: number, max = Number.MAX_SAFE_INTEGER) {
  return (text: string): number => {
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= min && value <= max) return value
    const range = max === Number.MAX_SAFE_INTEGER ? `at least ${min}` : `from ${min} to ${max}`
    throw new InvalidArgumentError(`give a whole number ${range}.`)
  }
}

/** For options given several times. */
export function collected(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value]
}

export function commaList(text: string): readonly string[] {
  return text.split(',').filter((item) => item !== '')
}

/** `name=value`, collected into a map. */
export function namedValues(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const cut = text.indexOf('=')
  if (cut < 1) throw new InvalidArgumentError('give name=value.')
  return { ...before, [text.slice(0, cut)]: text.slice(cut + 1) }
}
