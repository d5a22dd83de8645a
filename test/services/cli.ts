import { parseArgs } from 'node:util'
import { SERVICE_KINDS } from './kinds.ts'
import { readState } from './running-state.ts'
import { bringUp, installService, isUp, takeDown } from './up-and-down.ts'

const NAMES = SERVICE_KINDS.map((kind) => kind.name)
const HELP = `Usage: npm run services -- up|down|status|install [names] [--json]

The real servers that Skein's drivers are tried against. Names: ${NAMES.join(', ')}; default: all of them.

  up       starts what is not running and waits until it is ready; the servers stay when the command ends
  down     stops them and deletes their data
  status   what is up, and where
  install  fetches what can be fetched without being root, and starts nothing

A server comes from Docker Compose where an engine runs (compose.yaml), else from what this machine has or can fetch into
the cache: nats-server by \`go install\`, redis-server from the PATH. Ports are free ones. Tests and benchmarks
start servers of their own, and take the running one only where its variable gives it: ${SERVICE_KINDS.map((kind) => kind.urlVariable).join(', ')}.

Examples:
  npm run services -- up nats
  npm run -s services -- status --json
  npm run services -- down

Exit codes: 0 done; 1 a service could not be had, or (status) is not up; 2 the command was not understood.`

interface Row {
  readonly name: string
  readonly state: 'up' | 'down' | 'installed' | 'unavailable'
  readonly version?: string
  readonly origin?: string
  readonly urls?: readonly string[]
  readonly reason?: string
}

type Action = (name: string, say: (text: string) => void) => Promise<Row>

const ACTIONS: Readonly<Record<string, Action>> = {
  async up(name, say) {
    const { version, origin, urls } = await bringUp(name, say)
    return { name, state: 'up', version, origin, urls }
  },
  async down(name) {
    await takeDown(name)
    return { name, state: 'down' }
  },
  async status(name) {
    const found = (await readState()).find((one) => one.name === name)
    if (found === undefined || !(await isUp(found))) return { name, state: 'down' }
    return { name, state: 'up', version: found.version, origin: found.origin, urls: found.urls }
  },
  async install(name, say) {
    await installService(name, say)
    return { name, state: 'installed' }
  },
}

async function main(): Promise<number> {
  const options = { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const
  const { values, positionals } = parseArgs({ allowPositionals: true, options })
  const [word = '', ...named] = positionals
  if (values.help === true) return say(HELP, 0)
  const action = ACTIONS[word]
  const unknown = named.filter((name) => !NAMES.includes(name))
  if (action === undefined) return complain(`${word === '' ? 'Say what to do' : `There is no "${word}"`}.\n\n${HELP}`)
  if (unknown.length > 0) return complain(`There is no service ${unknown.join(', ')}: there are ${NAMES.join(', ')}`)
  const rows: Row[] = []
  for (const name of named.length > 0 ? named : NAMES) {
    const row = await action(name, (text) => process.stderr.write(`${text}\n`)).catch(unavailable(name))
    rows.push(row)
    if (values.json !== true) console.log(lineOf(row))
  }
  if (values.json === true) console.log(JSON.stringify({ services: rows }))
  const wanted = word === 'up' || word === 'status' ? 'up' : undefined
  return rows.some(({ state }) => state === 'unavailable' || (wanted !== undefined && state !== wanted)) ? 1 : 0
}

function unavailable(name: string): (error: Error) => Row {
  return (error) => ({ name, state: 'unavailable', reason: error.message })
}

function lineOf({ name, state, version = '', urls = [], reason = '' }: Row): string {
  return `${name.padEnd(10)} ${state.padEnd(11)} ${version} ${urls.join(' ')}${reason}`.trimEnd()
}

function say(text: string, code: number): number {
  console.log(text)
  return code
}

function complain(text: string): number {
  console.error(text)
  return 2
}

process.exitCode = await main()
