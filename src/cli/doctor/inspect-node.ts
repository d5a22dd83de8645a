import { type Bus, deadLetterTopic, lagEverywhere } from '../../bus/index.ts'
import { type ClientOptions, withBus } from '../client.ts'
import type { CommandContext } from '../context.ts'
import { DEFAULT_URL, nodeUrl } from '../node-url.ts'
import { attention, broken, type Finding, ok } from './finding.ts'

const LAG_SECONDS_MAX = 5
const DEAD = deadLetterTopic('')

/** Asks a running node how it is, over both of its protocols. */
export async function inspectNode(options: ClientOptions, context: CommandContext): Promise<readonly Finding[]> {
  const probe = await inspectProbe(nodeUrl(options.url), context.signal)
  try {
    return await withBus(options, context, async (bus) => [
      probe,
      await inspectRoundTrip(bus, context),
      ...(await inspectTopics(bus, options.url)),
      ...(await inspectLag(bus)),
    ])
  } catch (error) {
    return [probe, broken('connection', error)]
  }
}

async function inspectProbe(url: string, signal: AbortSignal): Promise<Finding> {
  try {
    const response = await fetch(`${url.replace(/^skein:/, 'http:')}/health/ready`, { signal })
    const { ok: ready, checks } = (await response.json()) as { ok: boolean; checks: Record<string, string> }
    const detail = Object.entries(checks).map(([name, state]) => `${name} ${state}`)
    return ready ? ok('readiness', detail.join(', ')) : broken('readiness', detail.join(', '))
  } catch (error) {
    return broken('readiness', `no answer from ${url}: ${(error as Error).message}`)
  }
}

async function inspectRoundTrip(bus: Bus, { clock }: CommandContext): Promise<Finding> {
  const startedAtMs = clock.monotonicMs()
  await bus.admin.listTopics()
  return ok('connection', `answers in ${(clock.monotonicMs() - startedAtMs).toFixed(1)} ms`)
}

async function inspectTopics(bus: Bus, url: string): Promise<readonly Finding[]> {
  const where = url === DEFAULT_URL ? '' : ` --url ${url}`
  const names = await bus.admin.listTopics()
  const described = await Promise.allSettled(names.map((name) => bus.admin.describeTopic(name)))
  const findings = described.flatMap((result, index) =>
    result.status === 'rejected' ? [broken(`topic ${names[index]}`, result.reason)] : [],
  )
  const dead = described.flatMap((result) => {
    if (result.status === 'rejected' || !result.value.spec.name.startsWith(DEAD)) return []
    const of = result.value.spec.name.slice(DEAD.length)
    const letters = result.value.partitions.reduce((sum, { start, end }) => sum + end.sequence - start.sequence, 0)
    return letters === 0
      ? []
      : [attention(`topic ${result.value.spec.name}`, `${letters} dead letters: skein dlq list ${of}${where}`)]
  })
  return [ok('topics', `${names.length}`), ...findings, ...dead]
}

async function inspectLag(bus: Bus): Promise<readonly Finding[]> {
  const lags = await lagEverywhere(bus)
  const late = lags.filter(({ seconds }) => (seconds ?? 0) > LAG_SECONDS_MAX)
  if (late.length === 0) return [ok('lag', `no group is more than ${LAG_SECONDS_MAX} s behind`)]
  return late.map(({ topic, group, partition, messages, seconds }) =>
    attention(
      'lag',
      `group ${group} is ${seconds?.toFixed(1)} s (${messages} messages) behind in ${topic}/${partition}`,
    ),
  )
}
