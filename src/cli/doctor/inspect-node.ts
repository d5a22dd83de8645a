import { type Bus, deadLetterTopic, lagEverywhere, type TopicDescription } from '../../bus/index.ts'
import { type ClientOptions, withBus } from '../client.ts'
import type { CommandContext } from '../context.ts'
import { countUnreplayed } from '../dead-letters.ts'
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
      ...(await inspectTopics(bus, options.url, context.signal)),
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
    if (!ready) return broken('readiness', detail.join(', '))
    return checks.damage === undefined ? ok('readiness', detail.join(', ')) : broken('damage', checks.damage)
  } catch (error) {
    return broken('readiness', `no answer from ${url}: ${(error as Error).message}`)
  }
}

async function inspectRoundTrip(bus: Bus, { clock }: CommandContext): Promise<Finding> {
  const startedAtMs = clock.monotonicMs()
  await bus.admin.listTopics()
  return ok('connection', `answers in ${(clock.monotonicMs() - startedAtMs).toFixed(1)} ms`)
}

async function inspectTopics(bus: Bus, url: string, signal: AbortSignal): Promise<readonly Finding[]> {
  const where = url === DEFAULT_URL ? '' : ` --url ${url}`
  const names = await bus.admin.listTopics()
  const described = await Promise.allSettled(names.map((name) => bus.admin.describeTopic(name)))
  const findings = described.flatMap((result, index) =>
    result.status === 'rejected' ? [broken(`topic ${names[index]}`, result.reason)] : [],
  )
  const dead: Finding[] = []
  for (const result of described) {
    if (result.status === 'fulfilled') dead.push(...(await inspectDeadLetters(bus, result.value, { where, signal })))
  }
  return [ok('topics', `${names.length}`), ...findings, ...dead]
}

/** Letters that went back to their group are nobody's concern any more. */
async function inspectDeadLetters(
  bus: Bus,
  { spec, partitions }: TopicDescription,
  { where, signal }: { readonly where: string; readonly signal: AbortSignal },
): Promise<readonly Finding[]> {
  if (!spec.name.startsWith(DEAD)) return []
  if (partitions.every(({ start, end }) => start.sequence === end.sequence)) return []
  const topic = spec.name.slice(DEAD.length)
  try {
    const letters = await countUnreplayed(bus, topic, signal)
    if (letters === 0) return []
    const what = letters === 1 ? 'dead letter that was not replayed' : 'dead letters that were not replayed'
    return [attention(`topic ${spec.name}`, `${letters} ${what}: skein dlq list ${topic}${where}`)]
  } catch (error) {
    return [broken(`topic ${spec.name}`, error)]
  }
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
