import { randomBytes } from 'node:crypto'
import type { Random } from '../random.ts'

/** The machine's randomness: cryptographic bytes, fast floats. */
export const systemRandom: Random = {
  float: () => Math.random(),
  bytes: (length) => new Uint8Array(randomBytes(length)),
}
