import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fetchOnce } from './fetch-once.ts'
import { freePorts } from './free-ports.ts'
import { runTool } from './run-tool.ts'
import { type InstallTools, type NodePlan, type PlanRequest, type ServiceKind, ServiceUnavailable } from './service.ts'

const VERSION = 'v1.8.0'
const ANSWER_WITHIN_MS = 2_000

/** What the server is started with; one given by URL has its own in the URL. */
export const S3_ACCESS_KEY = 'skein-tests'
export const S3_SECRET_KEY = 'not-a-secret'

/** versitygw, a server that speaks S3 over a directory, by `go install`. Buckets are made by whoever needs them. */
export const versitygwKind: ServiceKind = {
  name: 's3',
  urlVariable: 'SKEIN_S3_URL',
  install,
  plan,
  version,
}

async function install({ cacheDirectory, say }: InstallTools): Promise<string> {
  const folder = await fetchOnce(join(cacheDirectory, `versitygw-${VERSION}`), async (target) => {
    say(`s3: building versitygw ${VERSION} by go install (some minutes, once)`)
    const program = `github.com/versity/versitygw/cmd/versitygw@${VERSION}`
    await runTool('go', ['install', program], { environment: { GOBIN: target } }).catch((error: Error) => {
      throw new ServiceUnavailable(`versitygw is not to be had: ${error.message}`)
    })
  })
  return join(folder, 'versitygw')
}

async function plan({ installed, nodes, directory }: PlanRequest): Promise<NodePlan[]> {
  if (nodes !== 1) throw new ServiceUnavailable('a versitygw of several nodes is not known here')
  const [port] = await freePorts(1)
  const folder = join(directory, 'node-1')
  const beside = join(directory, 'beside')
  await mkdir(folder, { recursive: true })
  await mkdir(beside, { recursive: true })
  const listen = ['--port', `127.0.0.1:${port}`, '--access', S3_ACCESS_KEY, '--secret', S3_SECRET_KEY]
  // Metadata beside the objects: not every file system has extended attributes.
  const args = [...listen, '--health', '/health', 'posix', '--sidecar', beside, folder]
  return [{ url: `http://127.0.0.1:${port}`, directory: folder, command: installed, args }]
}

/** The server does not tell its version; it answers requests, refused ones included. */
async function version(url: string): Promise<string> {
  const answer = await fetch(new URL('/', url), { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) })
  await answer.arrayBuffer()
  return answer.headers.get('server') ?? VERSION
}
