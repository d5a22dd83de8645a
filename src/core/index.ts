export { assert } from './assert.ts'
export { BufferPool } from './buffer-pool.ts'
export type { KeysOf, OptionKeys } from './check-options.ts'
export { checkOptions, EachOption } from './check-options.ts'
export { checkTimeoutMs } from './check-timeout-ms.ts'
export type { Clock, Timer } from './clock.ts'
export type { Disk, DiskFile, DiskLock, OpenMode } from './disk.ts'
export { parentPath } from './disk-path.ts'
export { cutText, errorText, namedErrorText } from './error-text.ts'
export type { ErrorCode, SkeinErrorOptions } from './errors.ts'
export { ClosedError, SkeinError, UnsupportedError } from './errors.ts'
export { murmur2, partitionOfKey } from './key-hash.ts'
export { memoryDisk } from './memory-disk.ts'
export { misspeltVariable } from './misspelt-variable.ts'
export { nearest } from './nearest.ts'
export type {
  Connection,
  ConnectionHandlers,
  ConnectOptions,
  Listener,
  ListenOptions,
  MutualTls,
  Network,
  NetworkAddress,
} from './network.ts'
export type { Random } from './random.ts'
export type { SteadyClock } from './steady-clock.ts'
export { steadyClock } from './steady-clock.ts'
export type { SubjectPattern } from './subject.ts'
export {
  checkFilter,
  checkSubject,
  compilePattern,
  containsFilter,
  matchesFilter,
  SUBJECT_BYTES_MAX,
  SUBJECT_LEVELS_MAX,
} from './subject.ts'
export { timestampMs } from './timestamp.ts'
export { uuidV7 } from './uuid.ts'
export { VERSION } from './version.ts'
