/**
 * Seeded simulations: `npm run -s sim -- raft …` plays whole Raft groups, `npm run -s sim -- check FILE …` judges histories
 * of calls, of this simulator or of anything else. `--help` tells more.
 */
import type { SimCommand } from './sim-command.ts'

const COMMANDS: Readonly<Record<string, () => Promise<SimCommand>>> = {
  raft: () => import('./raft/command.ts'),
  check: () => import('./check-histories.ts'),
}

const [name = '', ...args] = process.argv.slice(2)
const load = COMMANDS[name]
if (load === undefined) {
  const names = Object.keys(COMMANDS).join('|')
  console.error(`Usage: npm run -s sim -- ${names} [options]; each explains itself with --help`)
  process.exit(name === '--help' || name === 'help' ? 0 : 2)
}
const command = await load()
try {
  process.exitCode = await command.run(args)
} catch (error) {
  console.error(`sim ${name}: ${error instanceof Error ? error.message : error}`)
  process.exitCode = 2
}
