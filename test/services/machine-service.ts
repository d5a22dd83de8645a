import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ServerProcess } from './server-process.ts'
import type { Service, ServiceKind, ServiceOptions } from './service.ts'

export interface MachineServiceOptions extends ServiceOptions {
  readonly installed: string
  readonly life: 'guarded' | 'left'
}

/** Starts servers of this machine in a directory of their own; resolves when all of them are ready. */
export async function startOnMachine(kind: ServiceKind, options: MachineServiceOptions): Promise<Service> {
  const { installed, life, settings = {} } = options
  const directory = await mkdtemp(join(tmpdir(), `skein-${kind.name}-`))
  const remove = () => rm(directory, { recursive: true, force: true, maxRetries: 5 })
  const nodes: ServerProcess[] = []
  const stop = async () => {
    await Promise.all(nodes.map((node) => node.kill()))
    await remove()
  }
  try {
    for (const plan of await kind.plan({ installed, nodes: options.nodes ?? 1, directory, settings })) {
      const ready = plan.ready ?? (() => kind.version(plan.url))
      nodes.push(new ServerProcess(plan, { life, folder: directory, ready }))
    }
    await Promise.all(nodes.map((node) => node.start()))
    const urls = nodes.map((node) => node.url)
    const version = await kind.version(urls[0]!)
    return { name: kind.name, version, origin: 'machine', url: urls[0]!, urls, nodes, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
