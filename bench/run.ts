/**
 * Measures against the machine's own limits: `npm run -s bench -- log|open|channel|remote [--json]`. Each benchmark
 * prints its result as the last line of standard output and exits with 1 when it misses its bar.
 */
import { existsSync, readdirSync } from 'node:fs'

const name = process.argv[2] ?? ''
const file = new URL(`./${name}.ts`, import.meta.url)
if (!/^[a-z-]+$/.test(name) || name === 'run' || !existsSync(file)) {
  const names = readdirSync(new URL('.', import.meta.url))
    .filter((entry) => entry.endsWith('.ts') && !entry.endsWith('.test.ts') && entry !== 'run.ts')
    .map((entry) => entry.slice(0, -3))
  console.error(`Usage: npm run -s bench -- ${names.join('|')} [--json]`)
  process.exit(2)
}
await import(file.href)
