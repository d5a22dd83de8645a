/**
 * The whole fabric at work: `npm start -- [--seconds N] [--brokers kafka,nats] [--json]`. A node, a mixed swarm of which
 * each type of agent is a process of its own, a controller and consumers; on brokers those are started too, and Kafka is
 * killed and started again. A live view until Ctrl-C or the time is over, then one line of JSON, computed from the ledgers
 * and the log. Exit code 1 when a bar is missed.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../src/core/system/index.ts'
import { connect, SkeinError } from '../../src/fabric/index.ts'
import { audit, faultsOf } from './audit.ts'
import { Brokers, SAFE_ON_ONE_SERVER } from './brokers.ts'
import { CONTRACT } from './contract.ts'
import { KILLED_AGENT } from './fleet.ts'
import { readOptions, USAGE } from './read-options.ts'
import { Show } from './show.ts'
import { renderLine, renderView } from './view.ts'

const KILL_AFTER_MS = 4_000
const KILL_AGAIN_EVERY_MS = 60_000
const VIEW_EVERY_MS = { screen: 250, line: 2_000 }

const options = readOptions()
if (options.help) {
  console.log(USAGE)
  process.exit(0)
}
if (options.problem !== undefined) {
  console.error(`${options.problem}\n${USAGE}`)
  process.exit(2)
}
const { seconds, json } = options

const stop = new AbortController()
process.on('SIGINT', () => {
  // A second Ctrl-C leaves at once; the children end with their parent.
  if (stop.signal.aborted) process.exit(130)
  stop.abort()
})
process.on('SIGTERM', () => stop.abort())
/** From here on an interrupt ends the show as time does: everything is finished and counted. */
let isAtWork = false

async function untilOver(show: Show, startedAtMs: number): Promise<void> {
  const endsAtMs = startedAtMs + seconds * 1_000
  let nextKillMs = systemClock.monotonicMs() + Math.min(KILL_AFTER_MS, seconds * 250)
  while (!stop.signal.aborted && systemClock.monotonicMs() < endsAtMs) {
    if (systemClock.monotonicMs() >= nextKillMs) {
      await show.killAndBringBack(stop.signal)
      nextKillMs = systemClock.monotonicMs() + KILL_AGAIN_EVERY_MS
    }
    await systemClock.sleep(50, { signal: stop.signal }).catch(() => {})
  }
}

/** At one third of the time; without an end there is no third. */
async function restartKafka(show: Show, brokers: Brokers, startedAtMs: number): Promise<void> {
  if (!brokers.has('kafka') || !Number.isFinite(seconds)) return
  const afterMs = startedAtMs + (seconds * 1_000) / 3 - systemClock.monotonicMs()
  await systemClock.sleep(Math.max(0, afterMs), { signal: stop.signal }).catch(() => {})
  if (stop.signal.aborted) return
  show.observer.tell('kafka is killed (SIGKILL) and started again')
  await brokers.restart('kafka')
  show.observer.tell('kafka is there again')
}

function showLive(show: Show): () => void {
  if (json) return () => {}
  const onScreen = process.stdout.isTTY
  const draw = () => {
    const state = show.observer.state()
    if (!onScreen) return console.log(renderLine(state))
    process.stdout.write(`\x1b[H\x1b[J${renderView(state, process.stdout.columns)}\n\nCtrl-C ends the show.\n`)
  }
  const timer = setInterval(draw, onScreen ? VIEW_EVERY_MS.screen : VIEW_EVERY_MS.line)
  return () => clearInterval(timer)
}

async function run(folder: string, brokers: Brokers | undefined): Promise<number> {
  console.error('Starting a node and its swarm, some ten processes …')
  const show = await Show.start(folder, brokers?.config, stop.signal)
  isAtWork = true
  // All brokers are ready by now, and everybody is at work.
  const startedAtMs = systemClock.monotonicMs()
  const hide = showLive(show)
  try {
    await Promise.all([untilOver(show, startedAtMs), brokers && restartKafka(show, brokers, startedAtMs)])
    hide()
    if (!json) console.log('Finishing: commands get their outcomes, consumers catch up …')
    const safe = brokers === undefined ? 'durable' : SAFE_ON_ONE_SERVER
    const found = audit(await show.finish(), { killedAgentId: KILLED_AGENT, safe })
    const faults = faultsOf(found, { isCutShort: stop.signal.aborted })
    for (const sentence of faults) console.error(`npm start: ${sentence}`)
    if (faults.length > 0) for (const sentence of show.late) console.error(`npm start: ${sentence}`)
    const { agents, types, ...figures } = found
    const onBrokers = brokers && { safe, brokers: brokers.rows }
    console.log(JSON.stringify({ agents, types, processes: show.processes, ...figures, ...onBrokers }))
    return faults.length === 0 ? 0 : 1
  } catch (error) {
    hide()
    await show.abandon()
    throw error
  }
}

/** What the brokers cannot give the swarm is said before any of it starts. */
async function runOnBrokers(folder: string): Promise<number> {
  console.error(`Starting ${options.brokers.join(' and ')}, one server each …`)
  await using started = new AsyncDisposableStack()
  const brokers = started.adopt(await Brokers.start(options.brokers, folder), (each) => each.stop())
  const fabric = await connect(brokers.config, { contract: CONTRACT })
  await fabric.close()
  console.error(`On one server each, "safe" is lowered to "${SAFE_ON_ONE_SERVER}"`)
  return await run(folder, brokers)
}

/** An error with a code is for the user to act on, not for its stack to be read. */
function tell(error: unknown): number {
  if (stop.signal.aborted && !isAtWork) {
    console.error('npm start: stopped before everybody was at work')
    return 130
  }
  if (!(error instanceof SkeinError)) throw error
  const { code, message, details } = error
  console.error(`npm start: ${message} (${code})`)
  if (json) console.log(JSON.stringify({ error: { code, message, details } }))
  return 1
}

const folder = mkdtempSync(join(tmpdir(), 'skein-swarm-'))
try {
  process.exitCode = await (options.brokers.length === 0 ? run(folder, undefined) : runOnBrokers(folder)).catch(tell)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
