/**
 * Each driver through the public channels against its raw client on the same server, in turn: `npm run -s bench -- drivers
 * [names] [--json]`. The last line of standard output is the result; exit code 1 when a bar is missed.
 */
import { parseArgs } from 'node:util'
import { findService } from '../test/services/find-service.ts'
import { median } from './channel/median.ts'
import type { DriverBench } from './drivers/driver-bench.ts'

const BENCHES: Readonly<Record<string, () => Promise<DriverBench>>> = {
  nats: async () => (await import('./drivers/nats.ts')).natsBench,
  jetstream: async () => (await import('./drivers/jetstream.ts')).jetstreamBench,
  rabbitmq: async () => (await import('./drivers/rabbitmq.ts')).rabbitmqBench,
}

const PAIRS = 3
const WARM_UP_SHARE = 0.1

interface Result {
  /** Messages per second. */
  readonly ours: number
  readonly raw: number
  readonly ratio: number
  readonly durability: string
}

async function measure(name: string, bench: DriverBench): Promise<Result> {
  const service = await (await findService(bench.service)).start()
  try {
    const { messages } = bench
    const pairs: Array<readonly [number, number]> = []
    let durability = ''
    for (let round = 0; round <= PAIRS; round += 1) {
      const count = round === 0 ? messages * WARM_UP_SHARE : messages
      const raw = await bench.raw(service, { name: `bench.${name}.raw${round}`, messages: count })
      const ours = await bench.ours(service, { name: `bench.${name}.ours${round}`, messages: count })
      durability = ours.durability
      if (round > 0) pairs.push([(count / ours.ms) * 1_000, (count / raw.ms) * 1_000])
    }
    return {
      ours: Math.round(median(pairs.map(([ours]) => ours))),
      raw: Math.round(median(pairs.map(([, raw]) => raw))),
      ratio: Math.round(median(pairs.map(([ours, raw]) => ours / raw)) * 1_000) / 1_000,
      durability,
    }
  } finally {
    await service.stop()
  }
}

// The first word is the benchmark's own name.
const { positionals } = parseArgs({ allowPositionals: true, options: { json: { type: 'boolean' } } })
const names = positionals.length > 1 ? positionals.slice(1) : Object.keys(BENCHES)
const drivers: Record<string, Result> = {}
for (const name of names) {
  const open = BENCHES[name]
  if (open === undefined) {
    console.error(`There is no driver "${name}": there are ${Object.keys(BENCHES).join(', ')}`)
    process.exit(2)
  }
  const bench = await open()
  drivers[name] = await measure(name, bench)
  if (drivers[name].ratio >= bench.ratioMin) continue
  console.error(`bench drivers: ${name} has a ratio of ${drivers[name].ratio}, at least ${bench.ratioMin} is asked for`)
  process.exitCode = 1
}
console.log(JSON.stringify({ drivers }))
