export { systemClock } from './clock.ts'
export { systemDisk } from './disk.ts'
export type { ByteSource } from './files.ts'
export { openByteSource, readTextFile } from './files.ts'

export { systemRandom } from './random.ts'
