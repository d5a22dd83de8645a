import type { CrashOptions, CrashVariant } from './crash/variant.ts'
import { misunderstood, parseCommand } from './parse-command.ts'

const VARIANTS: Readonly<Record<string, string>> = {
  kill: './crash/kill.ts',
  power: './crash/power.ts',
  truncate: './crash/truncate.ts',
  flip: './crash/flip.ts',
  syscalls: './crash/syscalls.ts',
  commands: './crash/commands.ts',
  transactions: './crash/transactions.ts',
  broker: './crash/broker.ts',
  bridge: './crash/bridge.ts',
  archive: './crash/archive.ts',
}

const HELP = `Breaks the machine under the log, or a broker and its clients, and counts what was lost.

  npm run -s crash -- VARIANT [--rounds N] [--seed N] [--driver NAME] [--nodes N] [--json]

  kill           a node is killed at random moments under load
  power          the power fails under a simulated disk that drops and reorders what was not synced
  truncate       the log is cut at every byte
  flip           bits of the log are turned
  syscalls       every call to the disk fails once
  commands       agents and nodes are killed while commands run
  transactions   a processor on Kafka is killed while it consumes, processes and produces
  broker         a broker (--driver kafka|jetstream|rabbitmq) and its client are killed in turn under load;
                 with --nodes 3 a node of a cluster loses its disk instead
  bridge         what moves messages between two brokers is killed under load, and the brokers now and then
                 (--driver from,to; default jetstream and kafka, both ways)
  archive        what archives a topic is killed under load, and its broker now and then; then all is restored
                 (--driver kafka|jetstream|rabbitmq; default jetstream)

  --rounds N     how often; each variant has its own default
  --seed N       of what is drawn at random (default 1)

The report is the last line of standard output. Exit codes: 0 every bar was met; 1 one was missed; 2 not understood.

  npm run -s crash -- kill --rounds 50 --json
  npm run -s crash -- broker --driver jetstream --nodes 3 --rounds 3 --json`

const { values, positionals } = parseCommand(HELP, {
  rounds: { type: 'string' },
  seed: { type: 'string', default: '1' },
  driver: { type: 'string' },
  nodes: { type: 'string' },
})
const name = positionals[0] ?? ''
const path = VARIANTS[name]
if (path === undefined) misunderstood(HELP, `There is no variant "${name}"`)

/** A run of no rounds would pass having shown nothing. */
function positiveInteger(option: string, text: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value > 0) return value
  return misunderstood(HELP, `--${option} must be a positive whole number, not "${text}"`)
}

const options: CrashOptions = {
  rounds: values.rounds === undefined ? undefined : positiveInteger('rounds', values.rounds),
  seed: positiveInteger('seed', values.seed),
  ...(values.driver !== undefined && { driver: values.driver }),
  ...(values.nodes !== undefined && { nodes: positiveInteger('nodes', values.nodes) }),
  progress: (text) => {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
  },
}
const variant: CrashVariant = await import(path)
const report = await variant.run(options)
if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
const missed = variant.shortfalls(report, options)
for (const sentence of missed) console.error(`crash ${name}: ${sentence}`)
console.log(JSON.stringify(report))
process.exitCode = missed.length === 0 ? 0 : 1
