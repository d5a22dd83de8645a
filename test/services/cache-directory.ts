import { homedir } from 'node:os'
import { join } from 'node:path'

/** Where servers are kept between runs: outside the clone, the user's own. */
export function cacheDirectory(): string {
  const base = process.env.XDG_CACHE_HOME
  return join(base === undefined || base === '' ? join(homedir(), '.cache') : base, 'skein')
}
