import { mkdir, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { fetchOnce } from './fetch-once.ts'
import { freePorts } from './free-ports.ts'
import { runTool } from './run-tool.ts'
import { type InstallTools, type NodePlan, type PlanRequest, type ServiceKind, ServiceUnavailable } from './service.ts'

const VERSION = 'v2.15.2'
const ANSWER_WITHIN_MS = 2_000

/**
 * nats-server with JetStream, by `go install`. Settings: `config` is appended to every node's configuration file;
 * `scheme` is `tls` where that configuration asks for it; `jetstream` is `off` for a server of core NATS alone.
 */
export const natsKind: ServiceKind = {
  name: 'nats',
  urlVariable: 'SKEIN_NATS_URL',
  compose: { portVariable: 'NATS_PORT', url: (port) => `nats://127.0.0.1:${port}` },
  install,
  plan,
  version,
}

async function install({ cacheDirectory, say }: InstallTools): Promise<string> {
  const folder = await fetchOnce(join(cacheDirectory, `nats-server-${VERSION}`), async (target) => {
    say(`nats: building nats-server ${VERSION} by go install (a minute or two, once)`)
    const GOBIN = target
    await runTool('go', ['install', `github.com/nats-io/nats-server/v2@${VERSION}`], { environment: { GOBIN } }).catch(
      (error: Error) => {
        throw new ServiceUnavailable(`nats-server is not to be had: ${error.message}`)
      },
    )
  })
  return join(folder, 'nats-server')
}

async function plan({ installed, nodes, directory, settings }: PlanRequest): Promise<NodePlan[]> {
  const ports = await freePorts(nodes * 3)
  const routes = Array.from({ length: nodes }, (_, index) => `nats-route://127.0.0.1:${ports[nodes + index]}`)
  const plans: NodePlan[] = []
  for (let index = 0; index < nodes; index += 1) {
    const folder = join(directory, `node-${index + 1}`)
    const file = join(directory, `node-${index + 1}.conf`)
    await mkdir(folder, { recursive: true })
    const cluster = nodes === 1 ? '' : clusterSection(ports[nodes + index]!, routes)
    await writeFile(
      file,
      configuration({ index, port: ports[index]!, monitor: ports[2 * nodes + index]!, folder, settings }) + cluster,
    )
    plans.push({
      url: `${settings.scheme ?? 'nats'}://127.0.0.1:${ports[index]}`,
      directory: folder,
      command: installed,
      args: ['-c', file],
      monitorUrl: `http://127.0.0.1:${ports[2 * nodes + index]}`,
      ready: () => healthy(ports[2 * nodes + index]!),
    })
  }
  return plans
}

interface NodeConfiguration {
  readonly index: number
  readonly port: number
  readonly monitor: number
  readonly folder: string
  readonly settings: Readonly<Record<string, string>>
}

function configuration({ index, port, monitor, folder, settings }: NodeConfiguration): string {
  const stored = `jetstream { store_dir: ${JSON.stringify(folder)}, max_memory_store: 256MB, max_file_store: 8GB }\n`
  return [
    `server_name: skein-${index + 1}\n`,
    `listen: "127.0.0.1:${port}"\n`,
    `http: "127.0.0.1:${monitor}"\n`,
    `max_payload: 8MB\n`,
    settings.jetstream === 'off' ? '' : stored,
    settings.config ?? '',
    '\n',
  ].join('')
}

function clusterSection(port: number, routes: readonly string[]): string {
  return `cluster { name: skein, listen: "127.0.0.1:${port}", routes: ${JSON.stringify(routes)} }\n`
}

/** In a cluster: JetStream has a leader, and every stream and consumer of this node has caught up. */
async function healthy(monitorPort: number): Promise<void> {
  const signal = AbortSignal.timeout(ANSWER_WITHIN_MS)
  const answer = await fetch(`http://127.0.0.1:${monitorPort}/healthz`, { signal })
  if (!answer.ok) throw new Error(`nats-server is not healthy: ${await answer.text()}`)
}

/** The server says who it is before anything else, TLS or not. */
function version(url: string): Promise<string> {
  const { hostname, port } = new URL(url)
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const socket = connect({ host: hostname, port: Number(port || 4222) })
  let text = ''
  socket.setTimeout(ANSWER_WITHIN_MS, () => socket.destroy(new Error(`${url} does not answer`)))
  socket.setEncoding('utf8').on('error', reject)
  socket.on('close', () => reject(new Error(`${url} closed the connection`)))
  socket.on('data', (chunk: string) => {
    text += chunk
    const info = /^INFO (\{.*\})\s*\r\n/.exec(text)
    if (info === null) return
    resolve((JSON.parse(info[1]!) as { version: string }).version)
    socket.destroy()
  })
  return promise
}
