/**
 * Measures against the machine's own limits: `npm run -s bench -- log|open|channel|remote|drivers [--json]`. Each benchmark
 * prints its result as the last line of standard output and exits with 1 when it misses its bar.
 */
const BENCHMARKS: Readonly<Record<string, string>> = {
  log: './log.ts',
  open: './open.ts',
  channel: './channel.ts',
  remote: './remote.ts',
  drivers: './drivers.ts',
}

const path = BENCHMARKS[process.argv[2] ?? '']
if (path === undefined) {
  console.error(`Usage: npm run -s bench -- ${Object.keys(BENCHMARKS).join('|')} [--json]`)
  process.exit(2)
}
await import(path)
