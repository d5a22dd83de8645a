import type { Bus, Durability, RequestedDurability } from '../bus/index.ts'
import { shardedBus } from '../bus/sharded/index.ts'
import {
  type Admission,
  type AnyChannel,
  Channels,
  openCommandSender,
  type QuotasOptions,
  quotas,
} from '../channel/index.ts'
import { type Clock, ClosedError, checkOptions, checkSubject, errorText, type KeysOf } from '../core/index.ts'
import { type ObjectStore, openDirectoryStore } from '../objects/index.ts'
import { LIVENESS_KEYS, type LivenessPolicy } from '../swarm/index.ts'
import type { Binding } from './binding/binding.ts'
import { BoundBus } from './binding/bound-bus.ts'
import { checkChannels, explainRefusal } from './binding/check-channels.ts'
import { openBoundBus } from './binding/open-bound-bus.ts'
import { type ConfigFile, configuredTarget, isConfigFile } from './config/configured-target.ts'
import { type ConnectTarget, parseTarget } from './connect-target.ts'
import type { Contract } from './contract.ts'
import { Fabric } from './fabric.ts'
import { joinAgent } from './join-agent.ts'
import { type Machine, machineOf } from './machine.ts'
import { openBus } from './open-bus.ts'
import { Reconnections } from './reconnections.ts'
import { hostedSwarm, RemoteSwarm, type SwarmSide } from './swarm-side.ts'

export interface ConnectOptions extends Partial<Machine> {
  /** Opens all its topics now, rather than each before its first use: what the bus cannot grant is then an error here. */
  readonly contract?: Contract
  /**
   * What `safe`, the default of events and commands, means on this bus, should it not be safe: `none` for `memory:`.
   * Receipts show the level given. Without it, a bus that is not safe refuses such topics with `unsupported`. A broker of
   * a binding may say otherwise.
   */
  readonly safe?: Durability
  /** One subject level: the source of what no agent sends. Default `fabric`. */
  readonly name?: string
  readonly principal?: string
  /** What may be published: rules for `quotas()`, or an admission of your own. Default: everything. */
  readonly admission?: Admission | Omit<QuotasOptions, 'clock'>
  /** Keeps large payloads declared as `claim-check`, and snapshots of views. */
  readonly objects?: ObjectStore | { readonly directory: string }
  /** With `memory:` and `embedded:`, where this process is the node. */
  readonly liveness?: Partial<LivenessPolicy>
  /** How long a node is tried to be reached at first, ms. Default 10,000. A lost connection is made again without end. */
  readonly connectTimeoutMs?: number
  /** While connecting. */
  readonly signal?: AbortSignal
  /** What no caller can be told. Default: a process warning. */
  readonly onError?: (error: unknown) => void
}

const KEYS: KeysOf<ConnectOptions> = {
  contract: true,
  safe: true,
  name: true,
  principal: true,
  // Rules, which `quotas()` looks at, or an object of the caller's own.
  admission: true,
  objects: true,
  liveness: LIVENESS_KEYS,
  connectTimeoutMs: true,
  signal: true,
  onError: true,
  clock: true,
  random: true,
  disk: true,
}

/**
 * Binds a contract to a bus: `memory:` (in this process, gone with it), `embedded:DIRECTORY` (in this process, on its
 * disk), `skein://HOST:PORT` (a node), a broker (`kafka://`, `nats://`, `amqp://`), or several brokers, each for the
 * intents bound to it. With the first two this process is the node; on brokers one runs somewhere (`skein up`). Rejects
 * with `bad-argument`, `locked`, `future-version`, `connection-lost`, `unauthorised`, `unsupported`.
 */
export async function connect(target: string | Binding | ConfigFile, options: ConnectOptions = {}): Promise<Fabric> {
  checkOptions('connect', options, KEYS)
  const parsed = parseTarget(isConfigFile(target) ? await configuredTarget(target) : target)
  const name = options.name ?? 'fabric'
  checkSubject(name, 'fabric name')
  const reconnections = new Reconnections()
  const { connectTimeoutMs, signal } = options
  const machine = machineOf(options)
  const opening = {
    client: name,
    onConnection: (connectionId: string | undefined) => reconnections.connectionIs(connectionId),
    ...(connectTimeoutMs !== undefined && { connectTimeoutMs }),
    ...(signal && { signal }),
  }
  const bus =
    parsed.kind === 'brokers'
      ? await openBoundBus(parsed.binding, machine, { ...opening, safe: options.safe })
      : await openBus(parsed, machine, opening)
  const fabric = await bindOrClose(bus, { ...options, machine, target: parsed, name, reconnections })
  try {
    if (options.contract) await fabric.open(options.contract)
    return fabric
  } catch (error) {
    await fabric.close()
    throw error
  }
}

async function bindOrClose(bus: Bus, options: BindOptions): Promise<Fabric> {
  try {
    return await bind(bus, options)
  } catch (error) {
    await bus.close()
    throw error
  }
}

interface BindOptions extends ConnectOptions {
  readonly machine: Machine
  readonly target: ConnectTarget
  readonly name: string
  readonly reconnections: Reconnections
}

async function bind(bus: Bus, options: BindOptions): Promise<Fabric> {
  const { machine, target, name, principal, safe, reconnections } = options
  const { clock, random } = machine
  const admission = admissionOf(options.admission, clock)
  const onError = reporter(options.onError ?? warn)
  const objects = await objectsOf(options.objects, machine)
  const growing = shardedBus(bus, { clock, random })
  const channels = new Channels({
    ...{ bus: growing, clock, random, source: name, principal, admission, objects, safe, onError },
    ...(bus instanceof BoundBus && { explain: (error, opened) => explainRefusal(error, opened, bus) }),
  })
  const durability = ownDurability(target)
  const swarm = await openSwarm(bus, { ...options, onError })
  const open = (opened: readonly AnyChannel[]) => openChannels(opened, bus, { channels, swarm })
  const sender = `${name}-${Buffer.from(random.bytes(6)).toString('hex')}`
  return new Fabric({
    ...{ bus: growing, channels, swarm, open },
    openSender: async () => {
      const [roster, nodeTime] = await Promise.all([swarm.roster(), swarm.nodeTime()])
      return openCommandSender({ bus, clock, random, roster, nodeTime, sender, durability, onError })
    },
    join: (joinOptions) => joinAgent({ bus, machine, channels, open, reconnections, onError }, joinOptions),
  })
}

async function openSwarm(
  bus: Bus,
  options: BindOptions & { readonly onError: (error: unknown) => void },
): Promise<SwarmSide> {
  const { target, machine, liveness, onError } = options
  const isNode = bus instanceof BoundBus ? bus.isHere : target.kind !== 'remote'
  if (!isNode) return new RemoteSwarm(bus, machine, onError)
  return hostedSwarm({ bus, machine, durability: ownDurability(target), liveness, onError })
}

/** Of Skein's own topics: what is in memory goes with the swarm that it tells of. */
function ownDurability(target: ConnectTarget): RequestedDurability {
  return target.kind === 'memory' ? 'none' : 'safe'
}

interface Opening {
  readonly channels: Channels
  readonly swarm: SwarmSide
}

/** All channels of a topic together, so that what they ask for is merged and their messages tell them apart. */
async function openChannels(opened: readonly AnyChannel[], bus: Bus, { channels, swarm }: Opening): Promise<void> {
  if (bus instanceof BoundBus) checkChannels(opened, bus)
  const stored = opened.filter(({ intent }) => intent !== 'query')
  await channels.open(stored)
  await Promise.all(stored.map(({ topicSpec }) => swarm.topicOpened(topicSpec)))
}

function admissionOf(given: ConnectOptions['admission'], clock: Clock): Admission | undefined {
  if (given === undefined || 'admit' in given) return given
  return quotas({ ...given, clock })
}

async function objectsOf(given: ConnectOptions['objects'], machine: Machine): Promise<ObjectStore | undefined> {
  if (given === undefined || 'put' in given) return given
  checkOptions('use these objects', given, { directory: true })
  return openDirectoryStore({ disk: machine.disk, directory: given.directory })
}

/** What ends because it was closed is no error. */
function reporter(report: (error: unknown) => void): (error: unknown) => void {
  return (error) => {
    if (!(error instanceof ClosedError)) report(error)
  }
}

function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : new Error(errorText(error)))
}
