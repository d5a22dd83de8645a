import { access, chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { delimiter, join } from 'node:path'
import { fetchOnce } from './fetch-once.ts'
import { freePorts } from './free-ports.ts'
import { runTool } from './run-tool.ts'
import { type InstallTools, type NodePlan, type PlanRequest, type ServiceKind, ServiceUnavailable } from './service.ts'

const ANSWER_WITHIN_MS = 2_000
/** Where Debian's package puts it. */
const INSTALLED = '/usr/lib/rabbitmq'
const ERLANG = '/usr/lib/erlang'
const PACKAGES = [
  'rabbitmq-server',
  ...['base', 'asn1', 'crypto', 'eldap', 'ftp', 'inets', 'mnesia', 'os-mon', 'parsetools', 'public-key'].map(erlang),
  ...['runtime-tools', 'snmp', 'ssl', 'syntax-tools', 'tftp', 'tools', 'xmerl'].map(erlang),
]

function erlang(part: string): string {
  return `erlang-${part}`
}

/**
 * Debian's rabbitmq-server: the installed one, or its packages unpacked into the cache. Settings: `config` is appended to
 * `rabbitmq.conf`.
 */
export const rabbitmqKind: ServiceKind = {
  name: 'rabbitmq',
  urlVariable: 'SKEIN_RABBITMQ_URL',
  compose: { portVariable: 'RABBITMQ_PORT', url: (port) => `amqp://guest:guest@127.0.0.1:${port}` },
  install,
  plan,
  version,
}

/** The folder under which `usr/lib/rabbitmq` lies: the root of the system, or of the unpacked packages. */
async function install({ cacheDirectory, say }: InstallTools): Promise<string> {
  if (await exists(INSTALLED)) return '/'
  return fetchOnce(join(cacheDirectory, 'rabbitmq-server-debian'), async (target) => {
    say('rabbitmq: unpacking the packages of the distribution into the cache (once)')
    await unpack(target).catch((error: Error) => {
      throw new ServiceUnavailable(
        `rabbitmq-server is not installed and its packages cannot be had (Debian: apt-get install rabbitmq-server): ${error.message}`,
        { cause: error },
      )
    })
  })
}

async function unpack(target: string): Promise<void> {
  const packages = join(target, 'packages')
  await mkdir(packages)
  await runTool('apt-get', ['download', ...PACKAGES], { directory: packages })
  for (const file of await readdir(packages)) await runTool('dpkg-deb', ['-x', join(packages, file), target])
  await rm(packages, { recursive: true })
  // Erlang's starter knows only the place it was packaged for: ours is found at each start, wherever the cache lies.
  const starter = join(target, ERLANG, 'bin', 'erl')
  const text = await readFile(starter, 'utf8')
  const here = '"$(cd "$(dirname "$0")/.." && pwd)"'
  await writeFile(starter, text.replaceAll(/ROOTDIR=\/usr\/lib\/erlang/g, `ROOTDIR=${here}`))
}

async function plan({ installed, nodes, directory, settings }: PlanRequest): Promise<NodePlan[]> {
  if (nodes !== 1) throw new ServiceUnavailable('a RabbitMQ of several nodes is not known here')
  const [port, epmdPort, distributionPort] = (await freePorts(3)) as [number, number, number]
  const home = join(directory, 'home')
  const folder = join(directory, 'node-1')
  await mkdir(home, { recursive: true })
  await writeFile(join(home, 'rabbitmq.conf'), `listeners.tcp.1 = 127.0.0.1:${port}\n${settings.config ?? ''}\n`)
  await writeFile(join(home, 'enabled_plugins'), '[].\n')
  const binaries = [join(installed, ERLANG, 'bin'), join(installed, INSTALLED, 'bin')]
  return [
    {
      url: `amqp://guest:guest@127.0.0.1:${port}`,
      directory: folder,
      command: 'sh',
      // The port mapper dies with the node: it belongs to its process group and listens for it alone.
      args: ['-c', 'epmd -address 127.0.0.1 -port "$ERL_EPMD_PORT" & exec "$1"', 'sh', await serverScript(installed)],
      environment: {
        HOME: home,
        PATH: [...binaries, process.env.PATH ?? ''].join(delimiter),
        ERL_EPMD_PORT: String(epmdPort),
        ERL_EPMD_ADDRESS: '127.0.0.1',
        RABBITMQ_NODENAME: 'skein@localhost',
        RABBITMQ_DIST_PORT: String(distributionPort),
        RABBITMQ_MNESIA_BASE: folder,
        RABBITMQ_LOG_BASE: join(directory, 'log'),
        RABBITMQ_LOGS: '-',
        RABBITMQ_CONFIG_FILE: join(home, 'rabbitmq'),
        RABBITMQ_CONF_ENV_FILE: '/dev/null',
        RABBITMQ_ENABLED_PLUGINS_FILE: join(home, 'enabled_plugins'),
        RABBITMQ_PID_FILE: join(directory, 'pid'),
        // Schedulers that spin while they wait would take the processors from whoever is measured beside them.
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS:
          '+sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}',
      },
      prepare: () => writeCookie(home),
    },
  ]
}

/** The server's own script: the package's wrapper would change to another user and to the folders of the system. */
async function serverScript(installed: string): Promise<string> {
  const folder = join(installed, INSTALLED, 'lib')
  const [server] = (await readdir(folder)).filter((name) => name.startsWith('rabbitmq_server-'))
  if (server === undefined) throw new ServiceUnavailable(`there is no rabbitmq_server below ${folder}`)
  return join(folder, server, 'sbin', 'rabbitmq-server')
}

async function writeCookie(home: string): Promise<void> {
  const file = join(home, '.erlang.cookie')
  if (await exists(file)) return
  await writeFile(file, crypto.randomUUID())
  await chmod(file, 0o400)
}

/** The broker says who it is in the first frame of the handshake, to anybody who greets it. */
function version(url: string): Promise<string> {
  const { hostname, port } = new URL(url)
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const socket = connect({ host: hostname, port: Number(port || 5672) }, () => socket.write('AMQP\0\0\t\u0001'))
  let text = ''
  socket.setTimeout(ANSWER_WITHIN_MS, () => socket.destroy(new Error(`${url} does not answer`)))
  socket.setEncoding('latin1').on('error', reject)
  socket.on('close', () => reject(new Error(`${url} closed the connection`)))
  socket.on('data', (chunk: string) => {
    text += chunk
    // A field of the server's properties: its name, `S` for a text, four bytes of length, the text.
    const found = /versionS\0\0\0.([\d.]+)/s.exec(text)
    if (found === null) return
    resolve(found[1]!)
    socket.destroy()
  })
  return promise
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
