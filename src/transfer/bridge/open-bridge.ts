import { checkNotOwnTopic, type TopicDescription } from '../../bus/index.ts'
import { SkeinError, UnsupportedError } from '../../core/index.ts'
import { brokerIdentity, IDENTITY_TOPIC } from '../broker-identity.ts'
import { openTarget } from '../open-target.ts'
import type { TransferEnd } from '../transfer-end.ts'
import { Bridge } from './bridge.ts'
import type { BridgeOptions } from './bridge-options.ts'
import { BridgePlaces } from './bridge-places.ts'
import { MovedBefore } from './moved-before.ts'

const WINDOW_BYTES = 16 * 1024 * 1024
const NAME = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/
const NAME_CHARACTERS_MAX = 120
/** A second guard beside what the target is searched for: it also knows what a dying process still has on its way. */
const DEDUPLICATION_WINDOW_MS = 120_000
/** A message is never given up because the bridge died with it in hand. */
const RETRY = { attemptsMax: 1_000_000 }

/**
 * Checks both sides and makes a bridge, which moves nothing before `run()`. Rejects with `not-found` (a topic that is not
 * there), `bad-argument` (source and target are one topic; the name), `bad-config` (the name is another bridge's),
 * `unsupported` (a topic that stores nothing, a durability that the target does not grant), `unauthorised`.
 */
export async function openBridge(options: BridgeOptions): Promise<Bridge> {
  const { source, target, clock, random } = options
  const stop = new AbortController()
  const from = await describeSource(source)
  checkNotOwnTopic(target.topic)
  const name = bridgeName(options)
  const parts = { clock, random, signal: stop.signal }
  const [sourceId, targetId] = [await brokerIdentity(source.bus, parts), await brokerIdentity(target.bus, parts)]
  const [sourcePlace, targetPlace] = [`${sourceId}/${source.topic}`, `${targetId}/${target.topic}`]
  if (sourcePlace === targetPlace) throw sameTopic(source.topic)
  const { intent } = from.spec
  const capabilities = await openTarget(target, {
    ...{ action: 'bridge', like: { ...from.spec, deduplicationWindowMs: DEDUPLICATION_WINDOW_MS } },
    durability: options.durability ?? (intent === 'telemetry' ? 'written' : 'safe'),
    create: options.create ?? false,
  })
  const bridge = `${name}@${sourceId}`
  const between = { source: sourcePlace, target: targetPlace }
  const places = new BridgePlaces(target.bus, `${IDENTITY_TOPIC}.${name}.${sourceId}`, between)
  await places.load(stop.signal)
  const group = bridgeGroup(name, targetId)
  const writer = target.bus.writer(target.topic)
  return new Bridge({
    ...{ name, group, places, stop, clock, random },
    by: { bridge, ...between, sourceTopic: source.topic, targetTopic: target.topic },
    reader: source.bus.reader(source.topic, {
      ...{ mode: 'group', group, from: options.from ?? 'earliest', retry: RETRY },
      ...(options.subjects && { subjects: options.subjects }),
    }),
    groupLag: () => source.bus.admin.lag(source.topic, group),
    before: new MovedBefore({
      ...{ bus: target.bus, topic: target.topic, bridge, signal: stop.signal },
      load: () => places.load(stop.signal),
    }),
    target: { writer, clock, random },
    durability: capabilities.durability,
    windowBytes: options.windowBytes ?? WINDOW_BYTES,
    onProblem: options.onProblem ?? (() => {}),
  })
}

/** Under which the source keeps the place of a bridge. */
function bridgeGroup(name: string, targetId: string): string {
  return `bridge.${name}.${targetId}`
}

function bridgeName({ name, source, target }: BridgeOptions): string {
  const made = source.topic === target.topic ? source.topic : `${source.topic}.to.${target.topic}`
  const chosen = name ?? made
  if (NAME.test(chosen) && chosen.length <= NAME_CHARACTERS_MAX) return chosen
  throw new SkeinError(
    'bad-argument',
    `Cannot name a bridge "${chosen}": use letters, digits, ".", "_" and "-", at most ${NAME_CHARACTERS_MAX}`,
    { details: { name: chosen } },
  )
}

function sameTopic(topic: string): SkeinError {
  return new SkeinError(
    'bad-argument',
    `Cannot bridge "${topic}" to itself: source and target are one topic of one broker; name another of either`,
    { details: { topic } },
  )
}

async function describeSource({ bus, topic }: TransferEnd): Promise<TopicDescription> {
  const found = await bus.admin.describeTopic(topic)
  const { spec, capabilities } = found
  if (spec.storage === 'ephemeral' || capabilities.groups === 'none') {
    throw new UnsupportedError(
      `topic "${topic}" as the source of a bridge`,
      'it stores nothing, and what a bridge was away for would be lost; bridge a topic of telemetry, events or commands',
    )
  }
  return found
}
