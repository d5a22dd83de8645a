import { parseArgs } from 'node:util'
import { type BusWorld, busCases, faultyBuses, runBusCase } from '../testing/index.ts'
import { catchFault } from './conformance/catch-fault.ts'
import { EmbeddedWorld } from './conformance/embedded-world.ts'
import { RemoteWorld } from './conformance/remote-world.ts'
import { timed } from './conformance/timed.ts'

/** `npm run -s conformance -- memory|embedded|remote [--json]`: the suite against one driver, and against faulty ones. */
interface Driver {
  readonly server: string
  readonly create: () => Promise<BusWorld>
}

const DRIVERS: Readonly<Record<string, Driver>> = {
  memory: { server: 'in process, on a disk in memory', create: () => EmbeddedWorld.inMemory() },
  embedded: { server: 'in process, on a real disk', create: () => EmbeddedWorld.onDisk() },
  remote: { server: 'a node over a loopback socket, on a real disk', create: () => RemoteWorld.create() },
}

const HUNTERS = 6

interface Outcome {
  readonly name: string
  readonly error: unknown
}

async function runSuite(driver: Driver, say: (line: string) => void): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  for (const busCase of busCases) {
    const begun = performance.now()
    const error: unknown = await timed(runBusCase(busCase, driver.create)).catch(
      (cause: unknown) => cause ?? new Error('failed'),
    )
    outcomes.push({ name: busCase.name, error })
    say(`${error === undefined ? 'ok  ' : 'FAIL'} ${busCase.name} (${Math.round(performance.now() - begun)} ms)`)
    if (error instanceof Error) say(`     ${error.message}`)
  }
  return outcomes
}

/** Several at once: mostly they wait for what does not come. The names of those that the suite passed come back. */
async function runFaults(say: (line: string) => void): Promise<string[]> {
  // What a fault leaves running when its case has failed may reject later; that concerns nobody.
  process.on('unhandledRejection', () => {})
  const missed: string[] = []
  const left = [...faultyBuses]
  const hunt = async () => {
    for (let fault = left.shift(); fault !== undefined; fault = left.shift()) {
      const found = await catchFault(fault)
      if (found === undefined) missed.push(fault.name)
      say(found === undefined ? `MISSED a bus that ${fault.name}` : `caught a bus that ${fault.name}: "${found}"`)
    }
  }
  await Promise.all(Array.from({ length: HUNTERS }, hunt))
  return missed
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { json: { type: 'boolean' } } })
  const name = positionals[0] ?? 'embedded'
  const driver = DRIVERS[name]
  if (driver === undefined) {
    console.error(`Cannot test "${name}": there are ${Object.keys(DRIVERS).join(', ')}`)
    process.exit(2)
  }
  const say = (line: string) => (values.json ? console.error(line) : console.log(line))
  const outcomes = await runSuite(driver, say)
  const missed = await runFaults(say)
  const failed = outcomes.filter(({ error }) => error !== undefined)
  const report = {
    driver: name,
    server: driver.server,
    tests: outcomes.map((outcome) => outcome.name),
    passed: outcomes.length - failed.length,
    failed: failed.length,
    skipped: [],
    faultyWrappersCaught: faultyBuses.length - missed.length,
    faultyWrappersMissed: missed,
  }
  console.log(JSON.stringify(report))
  process.exit(failed.length > 0 || missed.length > 0 ? 1 : 0)
}

await main()
