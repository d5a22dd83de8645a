import { connectNatsBus } from '../../../../src/bus/drivers/nats/index.ts'
import { systemClock, systemRandom } from '../../../../src/core/system/index.ts'
import type { Service, ServiceNode } from '../../../../test/services/service.ts'
import type { CrashWorld } from '../crash-world.ts'

const ANSWER_WITHIN_MS = 2_000

/** Streams with three replicas where there are three nodes. */
export const jetstreamWorld: CrashWorld = {
  service: 'nats',
  connect: (urls) =>
    connectNatsBus({
      url: urls,
      clock: systemClock,
      random: systemRandom,
      connectTimeoutMs: 30_000,
      pingIntervalMs: 1_000,
      reconnectDelayMsMax: 500,
    }),
  topic: (nodes) => ({
    name: 'crash.load',
    intent: 'event',
    partitions: 2,
    durability: nodes >= 3 ? 'replicated' : 'written',
    ...(nodes >= 3 && { replicationFactor: 3 }),
    deduplicationWindowMs: 120_000,
  }),
  whole,
}

/**
 * Every node is healthy and has every stream from its first message on, up to where the furthest node was when the question
 * was put: nodes under load are never all at the same message.
 */
async function whole(service: Service): Promise<void> {
  const wanted = new Map<string, StreamState>()
  for (const streams of await Promise.all(service.nodes.map(streamsOf))) {
    for (const [name, state] of streams) {
      if ((wanted.get(name)?.last_seq ?? -1) < state.last_seq) wanted.set(name, state)
    }
  }
  for (const node of service.nodes) {
    await healthy(node)
    const streams = await streamsOf(node)
    for (const [name, { first_seq: first, last_seq: last }] of wanted) {
      const state = streams.get(name)
      if (state === undefined) throw new Error(`${node.url} has no ${name}`)
      if (state.last_seq < last || state.first_seq > first) {
        throw new Error(
          `${node.url} has ${name} from ${state.first_seq} to ${state.last_seq}, not from ${first} to ${last}`,
        )
      }
    }
  }
}

interface StreamState {
  readonly first_seq: number
  readonly last_seq: number
}

interface Monitored {
  readonly account_details?: ReadonlyArray<{
    readonly stream_detail?: ReadonlyArray<{ readonly name: string; readonly state: StreamState }>
  }>
}

async function healthy({ monitorUrl }: ServiceNode): Promise<void> {
  const answer = await fetch(`${monitorUrl}/healthz`, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) })
  if (!answer.ok) throw new Error(await answer.text())
}

async function streamsOf({ monitorUrl }: ServiceNode): Promise<Map<string, StreamState>> {
  const answer = await fetch(`${monitorUrl}/jsz?streams=true`, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) })
  const { account_details: accounts = [] } = (await answer.json()) as Monitored
  const streams = accounts.flatMap(({ stream_detail: details = [] }) => details)
  return new Map(streams.map(({ name, state }) => [name, state]))
}
