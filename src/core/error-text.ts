/** Longer texts help nobody, and must fit into records, headers and replies beside what they are about. */
const CHARACTERS_MAX = 2_000

/**
 * What was thrown, in words: anything can be thrown, objects that cannot be printed too. Never throws, and is never
 * longer than 2,000 characters; what is cut off is counted at the end.
 */
export function errorText(error: unknown): string {
  try {
    const text = error instanceof Error ? error.message : error
    return cutText(typeof text === 'string' ? text : String(text))
  } catch {
    return UNPRINTABLE
  }
}

/** With the name of the error's class in front. */
export function namedErrorText(error: unknown): string {
  try {
    return error instanceof Error ? cutText(`${error.name}: ${error.message}`) : errorText(error)
  } catch {
    return UNPRINTABLE
  }
}

/** The beginning of a text that is too long, and how long it was: within the bound together. */
export function cutText(text: string, charactersMax: number = CHARACTERS_MAX): string {
  if (text.length <= charactersMax) return text
  const missing = `… (cut, ${text.length} characters in all)`
  return text.slice(0, Math.max(0, charactersMax - missing.length)).toWellFormed() + missing
}

const UNPRINTABLE = 'something was thrown that cannot be printed'
