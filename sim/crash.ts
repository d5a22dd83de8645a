/**
 * Breaks the machine under the log, or a broker and its clients, and counts what was lost: `npm run -s crash -- VARIANT
 * [--rounds N] [--seed N] [--driver NAME] [--nodes N] [--json]`. The report is the last line of standard output; exit code 1
 * when a bar is missed.
 */
import { parseArgs } from 'node:util'
import type { CrashOptions, CrashVariant } from './crash/variant.ts'

const VARIANTS: Readonly<Record<string, string>> = {
  kill: './crash/kill.ts',
  power: './crash/power.ts',
  truncate: './crash/truncate.ts',
  flip: './crash/flip.ts',
  syscalls: './crash/syscalls.ts',
  commands: './crash/commands.ts',
  transactions: './crash/transactions.ts',
  broker: './crash/broker.ts',
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string' },
    seed: { type: 'string', default: '1' },
    driver: { type: 'string' },
    nodes: { type: 'string' },
    // The report is JSON either way; the flag is what every command of the house understands.
    json: { type: 'boolean', default: false },
  },
})
const name = positionals[0] ?? ''
const path = VARIANTS[name]
if (path === undefined) {
  console.error(
    `Usage: npm run -s crash -- ${Object.keys(VARIANTS).join('|')} [--rounds N] [--seed N] [--driver NAME] [--nodes N] [--json]`,
  )
  process.exit(2)
}

/** A run of no rounds would pass having shown nothing. */
function positiveInteger(option: string, text: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value > 0) return value
  console.error(`crash: --${option} must be a positive whole number, not "${text}"`)
  process.exit(2)
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
