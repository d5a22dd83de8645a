import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { checkLinearizability, type Operation } from '../testing/index.ts'

const HELP = `Judges histories of calls on a map: could they have come from one copy, used by one caller at a time?

  npm run -s sim -- check FILE|DIR … [--json]

A history is a file of JSON lines, one call each:
  {"client","op":"read"|"write"|"cas","key","value","result","callNs","returnNs","status":"ok"|"fail"|"unknown"}
"value" of a cas is [expected, next]; "result" is what a read saw, or whether a cas exchanged.

  npm run -s sim -- raft --seeds 5 --histories histories && npm run -s sim -- check histories`

/** Checks history files for linearizability. */
export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { json: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
  })
  if (values.help || positionals.length === 0) {
    console.error(HELP)
    return values.help ? 0 : 2
  }
  const files = positionals.flatMap((path) => historyFiles(resolve(process.env.INIT_CWD ?? process.cwd(), path)))
  const refused: Array<{ readonly file: string; readonly why: string }> = []
  let operations = 0
  for (const file of files) {
    const history = readHistory(file)
    operations += history.length
    const { violation } = checkLinearizability(history)
    if (violation !== undefined) refused.push({ file, why: `key ${violation.key}: ${violation.message}` })
  }
  for (const { file, why } of refused) console.error(`${file}: ${why}`)
  console.log(JSON.stringify({ histories: files.length, operations, linearizable: refused.length === 0, refused }))
  return refused.length === 0 && files.length > 0 ? 0 : 1
}

function historyFiles(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path]
  const names = readdirSync(path).filter((name) => name.endsWith('.jsonl'))
  return names.sort().map((name) => join(path, name))
}

function readHistory(file: string): Operation[] {
  const lines = readFileSync(file, 'utf8').split('\n')
  return lines.flatMap((line, at) => {
    if (line.trim() === '') return []
    const where = `${file}: line ${at + 1}`
    try {
      return [asOperation(JSON.parse(line), where)]
    } catch (cause) {
      if (!(cause instanceof SyntaxError)) throw cause
      throw new Error(`Cannot read ${where} is no JSON`, { cause })
    }
  })
}

const OPS: readonly unknown[] = ['read', 'write', 'cas'] satisfies Operation['op'][]
const STATUSES: readonly unknown[] = ['ok', 'fail', 'unknown'] satisfies Operation['status'][]

/** What the checker would pass over, or mistake, must not count as right. */
function asOperation(value: unknown, where: string): Operation {
  const call = (value ?? {}) as Partial<Operation>
  const { client, op, key, callNs, returnNs, status } = call
  const problem =
    (typeof client !== 'string' && 'client is no string') ||
    (typeof key !== 'string' && 'key is no string') ||
    (!OPS.includes(op) && `op is ${JSON.stringify(op)}`) ||
    (!STATUSES.includes(status) && `status is ${JSON.stringify(status)}`) ||
    (!Number.isFinite(callNs) && 'callNs is no number') ||
    (status !== 'unknown' && !(returnNs! >= callNs!) && 'returnNs is no time after callNs') ||
    (op === 'cas' && !(Array.isArray(call.value) && call.value.length === 2) && 'value is not [expected, next]') ||
    (op === 'cas' && status === 'ok' && typeof call.result !== 'boolean' && 'result is neither true nor false')
  if (problem !== false) throw new Error(`Cannot read ${where} is no call: ${problem}`)
  return call as Operation
}
