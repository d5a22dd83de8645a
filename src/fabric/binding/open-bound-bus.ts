import type { Bus } from '../../bus/index.ts'
import { SkeinError } from '../../core/index.ts'
import type { NodeMachine } from '../machine.ts'
import type { OpenBusOptions } from '../open-bus.ts'
import { bindIntents } from './bind-intents.ts'
import type { Binding } from './binding.ts'
import { type BoundBroker, BoundBus } from './bound-bus.ts'
import { brokerKind } from './broker-kind.ts'
import { type AddressedBroker, checkBrokerSettings, openBroker } from './open-broker.ts'
import { resolveSecret } from './secret-reference.ts'

const FORMS = 'kafka://, nats://, amqp://, skein://, embedded:DIRECTORY or memory:'

/**
 * Connects to every broker of a binding, all or none. Rejects with `bad-argument` for a binding that cannot be, else as
 * the driver does that could not connect.
 */
export async function openBoundBus(
  binding: Binding,
  machine: NodeMachine,
  options: OpenBusOptions & { readonly safe: BoundBroker['safe'] },
): Promise<BoundBus> {
  const addressed = await Promise.all(Object.entries(binding.brokers).map(([name, given]) => addressOf(name, given)))
  const routes = bindIntents(addressed, binding.bind)
  const opened = await Promise.allSettled(
    addressed.map(async (broker): Promise<BoundBroker> => {
      const bus = await openBroker(broker, machine, {
        ...options,
        // Agents doubt their lease when the way to their node was cut: requests go that way.
        onConnection: (id) => broker === routes.byIntent.query && options.onConnection(id),
      })
      return { name: broker.name, kind: broker.kind, bus, safe: broker.settings.safe ?? options.safe }
    }),
  )
  const brokers = opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  const failed = opened.find((result) => result.status === 'rejected')
  if (failed === undefined) return new BoundBus(brokers, bindIntents(brokers, binding.bind), machine.clock)
  await Promise.all(brokers.map(({ bus }) => bus.close()))
  throw failed.reason
}

/** Connects to one broker under a name, for whoever needs it by itself. Rejects as `openBoundBus` does. */
export async function openNamedBroker(
  name: string,
  given: Binding['brokers'][string],
  at: { readonly machine: NodeMachine; readonly options: OpenBusOptions },
): Promise<Bus> {
  return openBroker(await addressOf(name, given), at.machine, at.options)
}

async function addressOf(name: string, given: Binding['brokers'][string]): Promise<AddressedBroker> {
  const settings = typeof given === 'string' ? { url: given } : given
  const url = await resolveSecret(settings.url)
  const kind = brokerKind(url, settings.mode)
  if (kind === undefined) {
    const why = `its address is none of ${FORMS}`
    throw new SkeinError('bad-argument', `Cannot connect to broker "${name}": ${why}`, { details: { broker: name } })
  }
  const addressed = { name, kind, settings: { ...settings, url } }
  checkBrokerSettings(addressed)
  return addressed
}
