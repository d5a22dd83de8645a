/**
 * A validated JSON message, published through the public API, acknowledged as durable, processed and decoded in one
 * process; against a bare loop of the same work, alternating.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { bareLoop } from './channel/bare-loop.ts'
import { median } from './channel/median.ts'
import { skeinLoop } from './channel/skein-loop.ts'
import { weakest } from './weakest.ts'

const PAIRS = 7
const MESSAGES = 300_000
const WARM_UP_MESSAGES = 50_000

const RATIO_MIN = 0.45
const MESSAGES_PER_SECOND_ENOUGH = 500_000

const AGENT_IDS = Array.from({ length: 16 }, (_, index) => `drone-${index}`)

interface Pair {
  readonly messagesPerSecond: number
  readonly barePerSecond: number
  readonly durability: string
  readonly syncMs: readonly number[]
}

async function pair(directory: string, name: string, messages: number): Promise<Pair> {
  const bare = await bareLoop(join(directory, `bare-${name}`), AGENT_IDS, messages)
  const ours = await skeinLoop(join(directory, `skein-${name}`), AGENT_IDS, messages)
  return {
    barePerSecond: (messages / bare.ms) * 1_000,
    messagesPerSecond: (messages / ours.ms) * 1_000,
    durability: ours.durability,
    syncMs: bare.syncMs,
  }
}

async function measure(directory: string): Promise<readonly Pair[]> {
  await pair(directory, 'warm-up', WARM_UP_MESSAGES)
  const pairs: Pair[] = []
  for (let index = 1; index <= PAIRS; index += 1) pairs.push(await pair(directory, String(index), MESSAGES))
  return pairs
}

function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000
}

// The temporary directory of the system is often in memory: nothing on it would be durable.
const directory = mkdtempSync('.bench-channel-')
try {
  const pairs = await measure(directory)
  const messagesPerSecond = Math.round(median(pairs.map((one) => one.messagesPerSecond)))
  const ratio = rounded(median(pairs.map((one) => one.messagesPerSecond / one.barePerSecond)))
  const durability = weakest(pairs.map((one) => one.durability))
  console.log(
    JSON.stringify({
      messagesPerSecond,
      barePerSecond: Math.round(median(pairs.map((one) => one.barePerSecond))),
      ratio,
      durability,
      messages: MESSAGES,
      pairs: pairs.map((one) => [Math.round(one.messagesPerSecond), Math.round(one.barePerSecond)]),
      fsyncP50Ms: rounded(median(pairs.flatMap(({ syncMs }) => syncMs))),
    }),
  )
  const isFast = messagesPerSecond >= MESSAGES_PER_SECOND_ENOUGH || ratio >= RATIO_MIN
  process.exitCode = isFast && durability === 'durable' ? 0 : 1
} finally {
  rmSync(directory, { recursive: true, force: true })
}
