import { SkeinError } from '../core/index.ts'

const OBJECT_BYTES_MAX = 1024 * 1024 * 1024

const NAME_LEVELS_MAX = 16
const LEVEL = /^[A-Za-z0-9._#~-]{1,200}$/

export function isName(name: string): boolean {
  const levels = name.split('/')
  const isSafe = levels.every((level) => LEVEL.test(level) && level !== '.' && level !== '..' && !level.endsWith('#'))
  return isSafe && levels.length <= NAME_LEVELS_MAX
}

/** The levels of an object's name. Throws `bad-argument`: no name leaves its place, in any store. */
export function checkName(name: string): readonly string[] {
  if (isName(name)) return name.split('/')
  throw new SkeinError('bad-argument', `Cannot use "${name}" as an object name: a level is empty, reserved or too long`)
}

/** Throws `message-too-large`. */
export function checkObjectSize(name: string, bytes: number): void {
  if (bytes <= OBJECT_BYTES_MAX) return
  throw new SkeinError(
    'message-too-large',
    `Cannot store the object "${name}": it has ${bytes} bytes, the most is ${OBJECT_BYTES_MAX}`,
    { details: { bytes, bytesMax: OBJECT_BYTES_MAX } },
  )
}
