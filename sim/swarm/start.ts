/**
 * The whole fabric at work: `npm start -- [--seconds N] [--json]`. A node, a mixed swarm of which each type of agent is
 * a process of its own, a controller and consumers; a live view until Ctrl-C or the time is over, then one line of JSON,
 * computed from the ledgers and the log. Exit code 1 when a bar is missed.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { systemClock } from '../../src/core/system/index.ts'
import { audit, faultsOf } from './audit.ts'
import { KILLED_AGENT } from './fleet.ts'
import { Show } from './show.ts'
import { renderLine, renderView } from './view.ts'

const KILL_AFTER_MS = 4_000
const KILL_AGAIN_EVERY_MS = 60_000
const VIEW_EVERY_MS = { screen: 250, line: 2_000 }

const USAGE = `Usage: npm start -- [--seconds N] [--json]
A node and a mixed swarm, each type of agent in a process of its own, until Ctrl-C or for N seconds; then one line of JSON.

Examples:
  $ npm start
  $ npm start -- --seconds 15 --json`

function read() {
  const options = { seconds: { type: 'string' }, json: { type: 'boolean' }, help: { type: 'boolean' } } as const
  try {
    const { values } = parseArgs({ options })
    return { ...values, seconds: values.seconds === undefined ? Number.POSITIVE_INFINITY : Number(values.seconds) }
  } catch (error) {
    return { problem: (error as Error).message, seconds: Number.NaN }
  }
}

const values: { seconds: number; json?: boolean; help?: boolean; problem?: string } = read()
const { seconds } = values
if (values.help === true) {
  console.log(USAGE)
  process.exit(0)
}
if (!(seconds > 0)) {
  console.error(`${values.problem ?? 'N is a positive number'}\n${USAGE}`)
  process.exit(2)
}

const stop = new AbortController()
process.on('SIGINT', () => {
  // A second Ctrl-C leaves at once; the children end with their parent.
  if (stop.signal.aborted) process.exit(130)
  stop.abort()
})
process.on('SIGTERM', () => stop.abort())

async function untilOver(show: Show): Promise<void> {
  const endsAtMs = systemClock.monotonicMs() + seconds * 1_000
  let nextKillMs = systemClock.monotonicMs() + Math.min(KILL_AFTER_MS, seconds * 250)
  while (!stop.signal.aborted && systemClock.monotonicMs() < endsAtMs) {
    if (systemClock.monotonicMs() >= nextKillMs) {
      await show.killAndBringBack(stop.signal)
      nextKillMs = systemClock.monotonicMs() + KILL_AGAIN_EVERY_MS
    }
    await systemClock.sleep(50, { signal: stop.signal }).catch(() => {})
  }
}

function showLive(show: Show): () => void {
  if (values.json) return () => {}
  const onScreen = process.stdout.isTTY
  const draw = () => {
    const state = show.observer.state()
    if (!onScreen) return console.log(renderLine(state))
    process.stdout.write(`\x1b[H\x1b[J${renderView(state, process.stdout.columns)}\n\nCtrl-C ends the show.\n`)
  }
  const timer = setInterval(draw, onScreen ? VIEW_EVERY_MS.screen : VIEW_EVERY_MS.line)
  return () => clearInterval(timer)
}

async function main(folder: string): Promise<number> {
  console.error('Starting a node and its swarm, some ten processes …')
  const show = await Show.start(folder)
  const hide = showLive(show)
  try {
    await untilOver(show)
    hide()
    if (!values.json) console.log('Finishing: commands get their outcomes, consumers catch up …')
    const found = audit(await show.finish(), KILLED_AGENT)
    const faults = faultsOf(found, { isCutShort: stop.signal.aborted })
    for (const sentence of faults) console.error(`npm start: ${sentence}`)
    if (faults.length > 0) for (const sentence of show.late) console.error(`npm start: ${sentence}`)
    const { agents, types, ...figures } = found
    console.log(JSON.stringify({ agents, types, processes: show.processes, ...figures }))
    return faults.length === 0 ? 0 : 1
  } catch (error) {
    hide()
    await show.abandon()
    throw error
  }
}

const folder = mkdtempSync(join(tmpdir(), 'skein-swarm-'))
try {
  process.exitCode = await main(folder)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
