import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type NodeProcess, startNodeProcess } from '../sim/node-process.ts'
import type { Consumed } from './remote/consumer.ts'
import type { Published } from './remote/publisher.ts'
import { Worker } from './remote/worker.ts'

const MESSAGES = 400_000
const PAIRS = 5

interface Chain {
  readonly publisher: Worker
  readonly consumer: Worker
}

interface Round {
  readonly messagesPerSecond: number
  readonly durability: string
}

interface Asked {
  readonly messages: number
  /** For a chain over a node. */
  readonly url?: string
  readonly round?: string
  /** For the bare one. */
  readonly port?: number
}

/** From the first publish to the last message counted by the consumer and acknowledged to the publisher. */
async function measure(chain: Chain, asked: Asked): Promise<Round> {
  const [consumed, published] = await Promise.all([
    chain.consumer.ask<Consumed>(asked),
    chain.publisher.ask<Published>(asked),
  ])
  const { messages } = asked
  if (consumed.consumed !== messages || published.acknowledged !== messages || consumed.reordered > 0) {
    throw new Error(`Not all arrived as they were sent: ${JSON.stringify({ messages, published, consumed })}`)
  }
  const seconds = (consumed.endedAtMs - published.startedAtMs) / 1000
  return { messagesPerSecond: messages / seconds, durability: published.durability }
}

async function bareRound(bare: Chain & { readonly relay: Worker }, path: string, messages: number): Promise<Round> {
  const { port } = await bare.relay.ask<{ port: number }>({ path })
  const round = await measure(bare, { port, messages })
  await rm(path)
  return round
}

/** The most memory that the process ever had resident, as the kernel counts it. */
async function rssMaxBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024
}

function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)]!
}

async function run(directory: string): Promise<boolean> {
  const node = await startNodeProcess({ dataDirectory: join(directory, 'data') })
  const chain = { publisher: new Worker('./publisher.ts'), consumer: new Worker('./consumer.ts') }
  const bare = {
    relay: new Worker('./bare-relay.ts'),
    publisher: new Worker('./bare-publisher.ts'),
    consumer: new Worker('./bare-consumer.ts'),
  }
  try {
    const result = await measurePairs({ node, chain, bare, path: join(directory, 'bare') })
    console.log(JSON.stringify(result))
    return (result.messagesPerSecond >= 400_000 || result.ratio >= 0.4) && result.nodeRssMaxBytes < 256 * 1024 * 1024
  } finally {
    for (const worker of [...Object.values(chain), ...Object.values(bare)]) worker.stop()
    await node.stop()
  }
}

async function measurePairs(parts: {
  readonly node: NodeProcess
  readonly chain: Chain
  readonly bare: Chain & { readonly relay: Worker }
  readonly path: string
}) {
  const { node, chain, bare, path } = parts
  const ours: Round[] = []
  const theirs: Round[] = []
  for (let pair = 0; pair <= PAIRS; pair += 1) {
    // The first pair warms both sides up and is not counted.
    const messages = pair === 0 ? MESSAGES / 4 : MESSAGES
    const our = await measure(chain, { url: node.url, round: `r${pair}`, messages })
    const their = await bareRound(bare, path, messages)
    if (pair === 0) continue
    ours.push(our)
    theirs.push(their)
  }
  const ratios = ours.map((round, index) => round.messagesPerSecond / theirs[index]!.messagesPerSecond)
  return {
    messagesPerSecond: Math.round(median(ours.map((round) => round.messagesPerSecond))),
    barePerSecond: Math.round(median(theirs.map((round) => round.messagesPerSecond))),
    ratio: Number(median(ratios).toFixed(3)),
    nodeRssMaxBytes: await rssMaxBytes(node.pid),
    durability: ours[0]!.durability,
    pairs: PAIRS,
  }
}

const directory = await mkdtemp(join(process.cwd(), '.bench-remote-'))
try {
  process.exitCode = (await run(directory)) ? 0 : 1
} finally {
  await rm(directory, { recursive: true, force: true })
}
