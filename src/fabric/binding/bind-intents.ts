import type { Intent, TopicSpec } from '../../bus/index.ts'
import { nearest, SkeinError } from '../../core/index.ts'
import type { Bindings } from './binding.ts'
import { BROKER_FACTS, type BrokerKind } from './broker-kind.ts'

/** A broker of a binding, as the rules look at it. */
export interface NamedBroker {
  readonly name: string
  readonly kind: BrokerKind
}

/** Which broker serves what. */
export interface IntentRoutes<Broker extends NamedBroker> {
  readonly byIntent: Readonly<Record<Intent, Broker>>
  /** Where topics that are work to be done lie. Undefined: where their intent goes. */
  readonly work: Broker | undefined
  /** Roster, outcomes, inboxes: totally ordered where any broker has that. */
  readonly own: Broker
}

const IN_PROCESS: readonly BrokerKind[] = ['embedded', 'memory', 'remote']
/** Long logs, replayed and folded: Kafka, else JetStream. */
const FOR_LOGS: readonly BrokerKind[] = ['kafka', 'jetstream', ...IN_PROCESS, 'rabbitmq', 'nats-core']
/** What goes to one of many, now: brokers that address by subject come first. */
const FOR_SUBJECTS: readonly BrokerKind[] = ['jetstream', 'rabbitmq', ...IN_PROCESS, 'kafka', 'nats-core']
/** Core NATS stores nothing, and here nothing is stored. */
const FOR_LIVE: readonly BrokerKind[] = ['nats-core', 'jetstream', 'rabbitmq', ...IN_PROCESS, 'kafka']
const FOR_OWN: readonly BrokerKind[] = [...IN_PROCESS, 'kafka', 'jetstream', 'rabbitmq', 'nats-core']

/** Decides where everything goes: as `bind` says, and by rule where it says nothing. Throws `bad-argument`. */
export function bindIntents<Broker extends NamedBroker>(
  brokers: readonly Broker[],
  bind: Bindings = {},
): IntentRoutes<Broker> {
  if (brokers.length === 0) throw new SkeinError('bad-argument', 'Cannot bind a contract: no broker is named')
  const named = (intent: Intent | 'work') => (bind[intent] === undefined ? undefined : byName(brokers, intent, bind))
  const best = (order: readonly BrokerKind[]) =>
    brokers.toSorted((left, right) => order.indexOf(left.kind) - order.indexOf(right.kind))[0]!
  return {
    byIntent: {
      telemetry: named('telemetry') ?? best(FOR_LOGS),
      event: named('event') ?? best(FOR_LOGS),
      command: named('command') ?? best(FOR_SUBJECTS),
      notice: named('notice') ?? best(FOR_LIVE),
      query: named('query') ?? best(FOR_LIVE),
    },
    work: named('work') ?? brokers.find(({ kind }) => kind === 'rabbitmq'),
    own: best(FOR_OWN),
  }
}

/** Where a topic of the contract, or one of Skein's own, lies. What is not stored goes where notices go. */
export function brokerOf<Broker extends NamedBroker>(
  routes: IntentRoutes<Broker>,
  topic: Pick<TopicSpec, 'intent' | 'storage'>,
  isOwn: boolean,
): Broker {
  const { intent, storage } = topic
  if (storage === 'ephemeral' || intent === 'notice') return routes.byIntent.notice
  if (isOwn) return routes.own
  if (storage === 'work' && routes.work !== undefined) return routes.work
  return routes.byIntent[intent]
}

/** Whether agents can join: they ask for it, and their epochs are positions. */
export function lacksForJoining(routes: IntentRoutes<NamedBroker>): 'requests' | 'totalOrder' | undefined {
  if (!BROKER_FACTS[routes.byIntent.query.kind].hasRequests) return 'requests'
  return BROKER_FACTS[routes.own.kind].hasTotalOrder ? undefined : 'totalOrder'
}

function byName<Broker extends NamedBroker>(
  brokers: readonly Broker[],
  intent: Intent | 'work',
  bind: Bindings,
): Broker {
  const wanted = bind[intent]!
  const found = brokers.find(({ name }) => name === wanted)
  if (found !== undefined) return found
  const names = brokers.map(({ name }) => name)
  const near = nearest(wanted, names)
  const hint = near === undefined ? `the brokers are ${names.join(', ')}` : `did you mean "${near}"?`
  throw new SkeinError('bad-argument', `Cannot bind ${intent} to "${wanted}": no broker has that name; ${hint}`, {
    details: { intent, broker: wanted, nearest: near },
  })
}
