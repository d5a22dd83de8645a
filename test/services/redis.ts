import { connect } from 'node:net'
import { join } from 'node:path'
import { freePorts } from './free-ports.ts'
import { runTool } from './run-tool.ts'
import { type NodePlan, type PlanRequest, type ServiceKind, ServiceUnavailable } from './service.ts'

const ANSWER_WITHIN_MS = 2_000

/** The `redis-server` on the PATH (Debian: `apt-get install redis-server`). */
export const redisKind: ServiceKind = {
  name: 'redis',
  urlVariable: 'SKEIN_REDIS_URL',
  compose: { portVariable: 'REDIS_PORT', url: (port) => `redis://127.0.0.1:${port}` },
  async install() {
    await runTool('redis-server', ['--version']).catch((error: Error) => {
      throw new ServiceUnavailable(`redis-server is not on the PATH (Debian: apt-get install redis-server)`, {
        cause: error,
      })
    })
    return 'redis-server'
  },
  plan,
  version,
}

async function plan({ installed, nodes, directory }: PlanRequest): Promise<NodePlan[]> {
  if (nodes !== 1) throw new ServiceUnavailable('a Redis of several nodes is not known here')
  const [port] = await freePorts(1)
  const folder = join(directory, 'node-1')
  const settings = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'yes']
  return [{ url: `redis://127.0.0.1:${port}`, directory: folder, command: installed, args: settings }]
}

function version(url: string): Promise<string> {
  const { hostname, port } = new URL(url)
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const socket = connect({ host: hostname, port: Number(port || 6379) }, () => socket.write('INFO server\r\n'))
  let text = ''
  socket.setTimeout(ANSWER_WITHIN_MS, () => socket.destroy(new Error(`${url} does not answer`)))
  socket.setEncoding('utf8').on('error', reject)
  socket.on('close', () => reject(new Error(`${url} closed the connection: ${text.slice(0, 100)}`)))
  socket.on('data', (chunk: string) => {
    text += chunk
    const found = /^redis_version:(\S+)/m.exec(text)
    if (found === null && !text.startsWith('-')) return
    if (found !== null) resolve(found[1]!)
    socket.destroy()
  })
  return promise
}
