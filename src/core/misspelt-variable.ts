import { nearest } from './nearest.ts'

const PREFIX = 'SKEIN'

/**
 * The first variable of an environment that is nearly, but not quite, one of those known (all of which begin with
 * `SKEIN_`). What is near to none may be another program's: container systems make variables of a service's name.
 */
export function misspeltVariable(
  environment: Readonly<Record<string, string | undefined>>,
  known: readonly string[],
): { readonly name: string; readonly nearest: string } | undefined {
  const tails = known.map((name) => name.slice(PREFIX.length + 1))
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined || value === '' || known.includes(name)) continue
    const meant = meantTail(name, tails)
    if (meant !== undefined) return { name, nearest: `${PREFIX}_${meant}` }
  }
  return undefined
}

/** Compared without the prefix, which would make short names that are far from each other look alike. */
function meantTail(name: string, tails: readonly string[]): string | undefined {
  const [, head = '', tail = ''] = /^([a-z]+?)_(.*)$/i.exec(name) ?? []
  if (head.toUpperCase() === PREFIX) return nearest(tail, tails)
  // One slip is enough: with the prefix misspelt the rest must be right.
  if (nearest(head, [PREFIX]) !== undefined) return tails.find((known) => known === tail)
  return tails.find((known) => name === `${PREFIX}${known}`)
}
