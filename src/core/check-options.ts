import { SkeinError } from './errors.ts'
import { nearest } from './nearest.ts'

/** The keys that an object of options may have; below `true` anything goes, below keys of its own only those. */
export interface OptionKeys {
  readonly [key: string]: true | OptionKeys | EachOption
}

/** Any name, and below each of them the same keys. */
export class EachOption {
  readonly keys: OptionKeys

  constructor(keys: OptionKeys) {
    this.keys = keys
  }
}

/** All keys of an options type, so that the compiler says when one is missing here. */
export type KeysOf<Options> = { readonly [Key in keyof Required<Options>]: true | OptionKeys | EachOption }

/**
 * Throws `bad-argument` for an option that nobody knows, naming the nearest one that is known: a misspelt option would
 * otherwise leave its default in force without a word. `action` completes "Cannot …".
 */
export function checkOptions(action: string, given: unknown, keys: OptionKeys): void {
  if (given !== undefined) checkObject(action, { given, keys, path: '' })
}

interface Level {
  readonly given: unknown
  readonly keys: OptionKeys
  readonly path: string
}

function checkObject(action: string, { given, keys, path }: Level): void {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    const what = path === '' ? 'its options are' : `its option "${path.slice(0, -1)}" is`
    throw new SkeinError('bad-argument', `Cannot ${action}: ${what} no object`, { details: { key: path } })
  }
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined) continue
    const known = Object.hasOwn(keys, key) ? keys[key] : undefined
    if (known === undefined) throw unknownOption(action, { keys, path }, key)
    if (known === true) continue
    if (known instanceof EachOption) checkEach(action, { given: value, keys: known.keys, path: `${path}${key}.` })
    else checkObject(action, { given: value, keys: known, path: `${path}${key}.` })
  }
}

function checkEach(action: string, { given, keys, path }: Level): void {
  for (const [name, value] of Object.entries(given ?? {})) {
    if (value !== undefined) checkObject(action, { given: value, keys, path: `${path}${name}.` })
  }
}

function unknownOption(action: string, { keys, path }: Pick<Level, 'keys' | 'path'>, key: string): SkeinError {
  const valid = Object.keys(keys)
  const near = nearest(key, valid)
  const hint = near === undefined ? `valid are ${valid.join(', ')}` : `did you mean "${near}"?`
  return new SkeinError('bad-argument', `Cannot ${action}: unknown option "${path}${key}"; ${hint}`, {
    details: { key: `${path}${key}`, nearest: near },
  })
}
