import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fetchOnce } from './fetch-once.ts'
import { freePorts } from './free-ports.ts'
import { runTool } from './run-tool.ts'
import { type InstallTools, type NodePlan, type PlanRequest, type ServiceKind, ServiceUnavailable } from './service.ts'

const ANSWER_WITHIN_MS = 2_000

/** Debian's etcd: the one on the PATH, or its package unpacked into the cache. One node, or a group of any number. */
export const etcdKind: ServiceKind = {
  name: 'etcd',
  urlVariable: 'SKEIN_ETCD_URL',
  install,
  plan,
  version,
}

async function install({ cacheDirectory, say }: InstallTools): Promise<string> {
  const isOnPath = await runTool('etcd', ['--version']).then(
    () => true,
    () => false,
  )
  if (isOnPath) return 'etcd'
  const folder = await fetchOnce(join(cacheDirectory, 'etcd-server-debian'), async (target) => {
    say('etcd: unpacking the package of the distribution into the cache (once)')
    await unpack(target).catch((cause: Error) => {
      const message = `etcd is not on the PATH and its package cannot be had (Debian: apt-get install etcd-server): ${cause.message}`
      throw new ServiceUnavailable(message, { cause })
    })
  })
  return join(folder, 'usr', 'bin', 'etcd')
}

async function unpack(target: string): Promise<void> {
  const packages = join(target, 'packages')
  await mkdir(packages)
  await runTool('apt-get', ['download', 'etcd-server'], { directory: packages })
  for (const file of await readdir(packages)) await runTool('dpkg-deb', ['-x', join(packages, file), target])
  await rm(packages, { recursive: true })
}

async function plan({ installed, nodes, directory }: PlanRequest): Promise<NodePlan[]> {
  const ports = await freePorts(nodes * 2)
  const clientUrl = (index: number) => `http://127.0.0.1:${ports[index]}`
  const peerUrl = (index: number) => `http://127.0.0.1:${ports[nodes + index]}`
  const indexes = Array.from({ length: nodes }, (_, index) => index)
  const members = indexes.map((index) => `node-${index + 1}=${peerUrl(index)}`).join(',')
  return indexes.map((index) => {
    const folder = join(directory, `node-${index + 1}`)
    const args = [
      ...['--name', `node-${index + 1}`, '--data-dir', join(folder, 'data')],
      ...['--listen-client-urls', clientUrl(index), '--advertise-client-urls', clientUrl(index)],
      ...['--listen-peer-urls', peerUrl(index), '--initial-advertise-peer-urls', peerUrl(index)],
      ...['--initial-cluster', members, '--initial-cluster-state', 'new', '--logger', 'zap'],
    ]
    return {
      url: clientUrl(index),
      directory: folder,
      command: installed,
      args,
      ready: () => healthy(clientUrl(index)),
    }
  })
}

/** It knows a leader and can commit. */
async function healthy(url: string): Promise<void> {
  const answer = await ask<{ readonly health: string }>(`${url}/health`)
  if (answer.health !== 'true') throw new Error(`${url} is not healthy`)
}

async function version(url: string): Promise<string> {
  return (await ask<{ readonly etcdserver: string }>(`${url}/version`)).etcdserver
}

async function ask<Answer>(url: string): Promise<Answer> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) })
  if (!answer.ok) throw new Error(`${url} answers ${answer.status}`)
  return (await answer.json()) as Answer
}
