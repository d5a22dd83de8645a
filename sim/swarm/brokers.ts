import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Durability } from '../../src/bus/index.ts'
import type { ConfigFile } from '../../src/fabric/index.ts'
import { findService } from '../../test/services/find-service.ts'
import type { Service } from '../../test/services/service.ts'

export const BROKER_NAMES = ['kafka', 'nats', 'rabbitmq'] as const
export type BrokerName = (typeof BROKER_NAMES)[number]

/** What one server gives: a write on it is lost with its disk, and nobody says that it was synced. */
export const SAFE_ON_ONE_SERVER: Durability = 'written'

export interface BrokerRow {
  readonly name: string
  readonly version: string
  readonly restarts: number
}

/** The servers of a run, one of each, and the file that binds the swarm to them. */
export class Brokers {
  readonly #services: ReadonlyMap<string, Service>
  readonly #restarts = new Map<string, number>()
  readonly config: ConfigFile

  private constructor(services: readonly Service[], config: ConfigFile) {
    this.#services = new Map(services.map((service) => [service.name, service]))
    this.config = config
  }

  /** Finds and starts them, and waits until all are ready. All or none. */
  static async start(names: readonly BrokerName[], folder: string): Promise<Brokers> {
    const say = (text: string) => console.error(text)
    const started = await Promise.allSettled(
      names.map(async (name) => (await findService(name, say)).start({ mortal: true })),
    )
    const services = started.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
    const failed = started.find((result) => result.status === 'rejected')
    if (failed === undefined) return new Brokers(services, writeConfig(services, folder))
    await Promise.all(services.map((service) => service.stop()))
    throw failed.reason
  }

  get rows(): readonly BrokerRow[] {
    return Array.from(this.#services.values(), ({ name, version }) => {
      return { name, version, restarts: this.#restarts.get(name) ?? 0 }
    })
  }

  has(name: BrokerName): boolean {
    return this.#services.has(name)
  }

  /** Kills the server (SIGKILL) and starts it on what it had stored. Resolves when it answers again. */
  async restart(name: BrokerName): Promise<void> {
    const [node] = this.#services.get(name)!.nodes
    await node!.kill()
    await node!.start()
    this.#restarts.set(name, (this.#restarts.get(name) ?? 0) + 1)
  }

  async stop(): Promise<void> {
    await Promise.all(Array.from(this.#services.values(), (service) => service.stop()))
  }
}

/** JSON is YAML too. */
function writeConfig(services: readonly Service[], folder: string): ConfigFile {
  const brokers = services.map(({ name, url }) => [name, { url, safe: SAFE_ON_ONE_SERVER }])
  const path = join(folder, 'skein.yaml')
  writeFileSync(path, JSON.stringify({ brokers: Object.fromEntries(brokers), logLevel: 'warn' }))
  return { config: path }
}
