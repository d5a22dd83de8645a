/**
 * Validated JSON messages through the public API, acknowledged as durable: publisher, node and consumer in a process
 * each, against a bare chain of three processes with JSON and fdatasync, alternating. Then commands, from `send()` to
 * the handler's start, between the same clients while they publish and process telemetry as fast as the node takes it.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type NodeProcess, startNodeProcess } from '../sim/node-process.ts'
import { median } from './channel/median.ts'
import type { Consumed, ConsumeRequest } from './remote/consumer.ts'
import type { Published, PublishRequest } from './remote/publisher.ts'
import { StallWatch } from './remote/stall-watch.ts'
import { Worker } from './remote/worker.ts'
import { weakest } from './weakest.ts'

const PAIRS = 7
const MESSAGES = 400_000
/** Both sides are measured as they run for long: the first hundred thousands are slower while code is compiled. */
const WARM_UP_MESSAGES = 400_000
/** One moment in which the machine does something else delays several in a row: too few would measure that one alone. */
const COMMANDS = 1_000

const RATIO_MIN = 0.4
const MESSAGES_PER_SECOND_ENOUGH = 400_000
const NODE_RSS_MAX_BYTES = 256 * 1024 * 1024
const COMMAND_P99_MAX_MS = 20

interface Chain {
  readonly publisher: Worker
  readonly consumer: Worker
}

interface BareChain extends Chain {
  readonly relay: Worker
}

interface Round {
  readonly messagesPerSecond: number
  readonly durability: string
}

/** From the first publish to the last message counted by the consumer; the publisher's receipts are waited for, too. */
async function measure(chain: Chain, asked: { readonly messages: number }): Promise<Round> {
  const [consumed, published] = await Promise.all([
    chain.consumer.ask<Consumed>(asked),
    chain.publisher.ask<Published>(asked),
  ])
  const { messages } = asked
  const isWhole = consumed.consumed === messages && published.acknowledged === messages
  // Nothing fails here, so nothing may come twice either.
  if (!isWhole || consumed.reordered > 0 || consumed.repeated > 0) {
    throw new Error(`Not all arrived once, as they were sent: ${JSON.stringify({ messages, published, consumed })}`)
  }
  const seconds = (consumed.endedAtMs - published.startedAtMs) / 1000
  return { messagesPerSecond: messages / seconds, durability: published.durability }
}

async function bareRound(bare: BareChain, path: string, messages: number): Promise<Round> {
  const { port } = await bare.relay.ask<{ port: number }>({ path })
  const asked = { port, messages }
  const round = await measure(bare, asked)
  await rm(path)
  return round
}

async function measurePairs(parts: {
  readonly url: string
  readonly chain: Chain
  readonly bare: BareChain
  readonly path: string
}) {
  const { url, chain, bare, path } = parts
  const pairs: Array<{ readonly ours: Round; readonly bare: Round }> = []
  for (let pair = 0; pair <= PAIRS; pair += 1) {
    const messages = pair === 0 ? WARM_UP_MESSAGES : MESSAGES
    const asked = { url, round: `r${pair}`, messages }
    const ours = await measure(chain, asked)
    pairs.push({ ours, bare: await bareRound(bare, path, messages) })
  }
  // The first pair warmed both sides up.
  return pairs.slice(1)
}

async function measureCommands(url: string, chain: Chain, stateDir: string) {
  const round = 'saturation'
  const reading: ConsumeRequest = { url, round, stateDir }
  await chain.consumer.ask<Consumed>(reading)
  const writing: PublishRequest = { url, round, commands: COMMANDS }
  const stalls = new StallWatch()
  const { waitedMs, acknowledged, startedAtMs, endedAtMs } = await chain.publisher.ask<Published>(writing)
  stalls.stop()
  return {
    machineStalls: { count: stalls.count, maxMs: rounded(stalls.maxMs) },
    waitedMs: waitedMs!.toSorted((left, right) => left - right),
    /** Of the telemetry meanwhile: that the connection was full is to be seen, not believed. */
    messagesPerSecond: (acknowledged * 1_000) / (endedAtMs - startedAtMs),
  }
}

/** The most memory that the process ever had resident, as the kernel counts it. */
async function rssMaxBytes(node: NodeProcess): Promise<number> {
  const status = await readFile(`/proc/${node.pid}/status`, 'utf8')
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024
}

async function run(directory: string) {
  const node = await startNodeProcess({ dataDirectory: join(directory, 'data') })
  const chain = {
    publisher: new Worker(new URL('./remote/publisher.ts', import.meta.url)),
    consumer: new Worker(new URL('./remote/consumer.ts', import.meta.url)),
  }
  const bare = {
    relay: new Worker(new URL('./remote/bare-relay.ts', import.meta.url)),
    publisher: new Worker(new URL('./remote/bare-publisher.ts', import.meta.url)),
    consumer: new Worker(new URL('./remote/bare-consumer.ts', import.meta.url)),
  }
  try {
    const { url } = node
    const pairs = await measurePairs({ url, chain, bare, path: join(directory, 'bare') })
    const { waitedMs, messagesPerSecond, machineStalls } = await measureCommands(url, chain, join(directory, 'state'))
    return {
      messagesPerSecond: Math.round(median(pairs.map((pair) => pair.ours.messagesPerSecond))),
      barePerSecond: Math.round(median(pairs.map((pair) => pair.bare.messagesPerSecond))),
      ratio: rounded(median(pairs.map((pair) => pair.ours.messagesPerSecond / pair.bare.messagesPerSecond))),
      nodeRssMaxBytes: await rssMaxBytes(node),
      durability: weakest(pairs.map((pair) => pair.ours.durability)),
      commandP50Ms: rounded(waitedMs[Math.floor(waitedMs.length * 0.5)]!),
      commandP99Ms: rounded(waitedMs[Math.floor(waitedMs.length * 0.99)]!),
      commands: waitedMs.length,
      messagesPerSecondMeanwhile: Math.round(messagesPerSecond),
      machineStalls,
      messages: MESSAGES,
      pairs: pairs.map((pair) => [pair.ours.messagesPerSecond, pair.bare.messagesPerSecond].map(Math.round)),
    }
  } finally {
    for (const worker of [...Object.values(chain), ...Object.values(bare)]) worker.stop()
    await node.stop()
  }
}

function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000
}

// The temporary directory of the system is often in memory: nothing on it would be durable.
const directory = await mkdtemp(join(process.cwd(), '.bench-remote-'))
try {
  const result = await run(directory)
  console.log(JSON.stringify(result))
  const isFast = result.messagesPerSecond >= MESSAGES_PER_SECOND_ENOUGH || result.ratio >= RATIO_MIN
  const isPrompt = result.commandP99Ms < COMMAND_P99_MAX_MS
  const isSmall = result.nodeRssMaxBytes < NODE_RSS_MAX_BYTES
  process.exitCode = isFast && isPrompt && isSmall && result.durability === 'durable' ? 0 : 1
} finally {
  await rm(directory, { recursive: true, force: true })
}
