import { cacheDirectory } from './cache-directory.ts'
import { hasEngine, startInCompose } from './compose.ts'
import { serviceKind } from './kinds.ts'
import { startOnMachine } from './machine-service.ts'
import { type Service, type ServiceKind, type ServiceOptions, ServiceUnavailable } from './service.ts'

/** A service that can be had: start as many as are needed, and stop each. */
export interface FoundService {
  readonly name: string
  start(options?: ServiceOptions): Promise<Service>
}

/**
 * Looks for a service: the URL given in the environment, Docker Compose where an engine runs, what this machine has or can
 * fetch (slow the first time). Rejects with `ServiceUnavailable` and the reason.
 */
export async function findService(name: string, say: (text: string) => void = () => {}): Promise<FoundService> {
  const kind = serviceKind(name)
  const given = process.env[kind.urlVariable]
  if (given !== undefined && given !== '') {
    await kind.version(firstOf(given)).catch((error: Error) => {
      throw new ServiceUnavailable(`${kind.urlVariable} names ${given}, which does not answer: ${error.message}`)
    })
    return { name, start: (options = {}) => (isPlain(options) ? attach(kind, given) : own(kind, say)(options)) }
  }
  const start = await finder(kind, say)
  return { name, start }
}

async function finder(kind: ServiceKind, say: (text: string) => void): Promise<FoundService['start']> {
  if (kind.compose !== undefined && (await hasEngine())) {
    return (options = {}) =>
      (options.nodes ?? 1) === 1 && options.settings === undefined
        ? startInCompose(kind, { life: 'guarded' })
        : own(kind, say)(options)
  }
  const installed = await kind.install({ cacheDirectory: cacheDirectory(), say })
  return (options = {}) => startOnMachine(kind, { ...options, installed, life: 'guarded' })
}

function own(kind: ServiceKind, say: (text: string) => void): (options: ServiceOptions) => Promise<Service> {
  return async (options) => {
    const installed = await kind.install({ cacheDirectory: cacheDirectory(), say })
    return startOnMachine(kind, { ...options, installed, life: 'guarded' })
  }
}

/** Only a server that nobody kills and nobody configures can be one that somebody else runs. */
function isPlain(options: ServiceOptions): boolean {
  return (options.nodes ?? 1) === 1 && options.mortal !== true && options.settings === undefined
}

async function attach(kind: ServiceKind, given: string): Promise<Service> {
  const urls = given.split(',')
  const version = await kind.version(urls[0]!)
  return { name: kind.name, version, origin: 'url', url: urls[0]!, urls, nodes: [], stop: async () => {} }
}

function firstOf(urls: string): string {
  return urls.split(',')[0]!
}
