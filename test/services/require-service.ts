import { type FoundService, findService } from './find-service.ts'
import type { Service, ServiceOptions } from './service.ts'
import { ServiceUnavailable } from './service.ts'

export interface RequiredService {
  /** For `test(name, { skip }, …)`: false where the service can be had, else the reason. */
  readonly skip: false | string
  /** Starts one that is the caller's alone. */
  start(options?: ServiceOptions): Promise<Service>
}

/**
 * What a test that needs a real server says first. Where the server cannot be had, its tests are skipped with the reason;
 * where `SKEIN_REQUIRE_SERVICES` names it (separated by commas), this rejects instead. `SKEIN_SKIP_SERVICES` names those
 * that are left out although they could be had.
 */
export async function requireService(name: string): Promise<RequiredService> {
  if (isNamedBy('SKEIN_SKIP_SERVICES', name)) {
    const reason = `no ${name}: SKEIN_SKIP_SERVICES leaves it out`
    return { skip: reason, start: () => Promise.reject(new Error(reason)) }
  }
  let found: FoundService
  try {
    found = await findService(name, (text) => process.stderr.write(`${text}\n`))
  } catch (error) {
    if (!(error instanceof ServiceUnavailable) || isNamedBy('SKEIN_REQUIRE_SERVICES', name)) throw error
    const start = () => Promise.reject(error)
    return { skip: `no ${name}: ${error.message}`, start }
  }
  return { skip: false, start: (options) => found.start(options) }
}

function isNamedBy(variable: string, name: string): boolean {
  return (process.env[variable] ?? '')
    .split(',')
    .map((one) => one.trim())
    .includes(name)
}
