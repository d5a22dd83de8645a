/**
 * Each driver through the public channels against its raw client, and against other libraries, on the same server, in turn:
 * `npm run -s bench -- drivers [names] [--json]`. The last line of standard output is the result; exit code 1 when a bar is
 * missed.
 */
import { parseArgs } from 'node:util'
import { ServiceUnavailable } from '../test/services/service.ts'
import { type Comparison, compare } from './drivers/compare.ts'
import type { DriverBench } from './drivers/driver-bench.ts'

/** One comparison, and where its result stands. */
interface Entry {
  readonly at: readonly [field: string, name?: string]
  readonly load: () => Promise<DriverBench>
}

const ENTRIES: readonly Entry[] = [
  { at: ['drivers', 'kafka'], load: async () => (await import('./drivers/kafka.ts')).kafkaBench },
  { at: ['drivers', 'nats'], load: async () => (await import('./drivers/nats.ts')).natsBench },
  { at: ['drivers', 'jetstream'], load: async () => (await import('./drivers/jetstream.ts')).jetstreamBench },
  { at: ['drivers', 'rabbitmq'], load: async () => (await import('./drivers/rabbitmq.ts')).rabbitmqBench },
  { at: ['moleculer', 'kafka'], load: async () => (await import('./drivers/moleculer.ts')).moleculerKafkaBench },
  {
    at: ['moleculer', 'jetstream'],
    load: async () => (await import('./drivers/moleculer.ts')).moleculerJetstreamBench,
  },
  { at: ['confluentKafka'], load: async () => (await import('./drivers/confluent-kafka.ts')).confluentKafkaBench },
]

/** What a server or a library that is not to be had leaves in place of figures. */
interface Unmeasured {
  readonly reason: string
}

const { positionals } = parseArgs({ allowPositionals: true, options: { json: { type: 'boolean' } } })
// The first word is the benchmark's own name.
const wanted = positionals.slice(1)
const words = new Set(ENTRIES.flatMap(({ at }) => [at[0], nameOf(at)]))
for (const word of wanted) {
  if (words.has(word)) continue
  console.error(`There is nothing to measure named "${word}": there are ${[...words].join(', ')}`)
  process.exit(2)
}

const result: Record<string, unknown> = {}
for (const { at, load } of ENTRIES) {
  if (wanted.length > 0 && !isWanted(at)) continue
  const [field, name] = at
  const bench = await load()
  const measured = await measure(nameOf(at), bench)
  const shown = shownAs(measured, bench, field === 'drivers' ? 'raw' : 'theirs')
  if (name === undefined) result[field] = shown
  else result[field] = { ...(result[field] as object | undefined), [name]: shown }
}
console.log(JSON.stringify(result))

function nameOf([field, name]: Entry['at']): string {
  return name === undefined || field === 'drivers' ? (name ?? field) : `${field}-${name}`
}

/** By its whole name, or by the name of all of its field. */
function isWanted(at: Entry['at']): boolean {
  return wanted.includes(nameOf(at)) || wanted.includes(at[0])
}

async function measure(name: string, bench: DriverBench): Promise<Comparison | Unmeasured> {
  try {
    const comparison = await compare(name, bench)
    if (comparison.ratio < bench.ratioMin) {
      console.error(
        `bench drivers: ${name} has a ratio of ${comparison.ratio}, at least ${bench.ratioMin} is asked for`,
      )
      process.exitCode = 1
    }
    return comparison
  } catch (error) {
    if (!(error instanceof ServiceUnavailable)) throw error
    process.exitCode = 1
    return { reason: error.message }
  }
}

function shownAs(measured: Comparison | Unmeasured, bench: DriverBench, otherName: string): object {
  if ('reason' in measured) return measured
  const { ours, other, aside, ratio, durability } = measured
  const asideShown = bench.aside !== undefined && { [bench.aside.name]: aside }
  return { ours, [otherName]: other, ratio, durability, ...bench.used, ...asideShown }
}
