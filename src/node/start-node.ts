import type { Bus, RawAccess, TopicSpec } from '../bus/index.ts'
import { shardedBus } from '../bus/sharded/index.ts'
import { openCommandSender, type Quotas, type QuotasOptions, quotas } from '../channel/index.ts'
import {
  type Clock,
  type Disk,
  type Network,
  type Random,
  SkeinError,
  type SteadyClock,
  steadyClock,
  VERSION,
} from '../core/index.ts'
import { hostNodeServices, type NodeConfig, type NodeServices, type NodeServicesOptions } from '../fabric/index.ts'
import { httpGateway } from '../gateway/http/index.ts'
import { websocketGateway } from '../gateway/websocket/index.ts'
import type { FencedAgent } from '../swarm/index.ts'
import { clientAccess } from './client-access.ts'
import { type DamagedSegment, DamageWatch } from './damage-watch.ts'
import type { DiskState } from './disk-health.ts'
import type { HostedRaftLog } from './hosted-raft-log.ts'
import { checkListenHost } from './listen-address.ts'
import { runNodeArchives } from './node-archives.ts'
import { runNodeBridges } from './node-bridges.ts'
import type { NodeLog } from './node-log.ts'
import { NodeProbes } from './node-probes.ts'
import { type NodeStore, openNodeStore } from './node-store.ts'
import { openRaftLogs } from './open-raft-logs.ts'
import { reservePort } from './reserved-port.ts'
import { type RunningNode, runningNode } from './running-node.ts'
import { takeUpgrades } from './upgrade.ts'

export interface NodeDependencies {
  readonly disk: Disk
  readonly clock: Clock
  readonly random: Random
  /** For a member of a replicated log. */
  readonly network: Network
  readonly log: NodeLog
}

/**
 * Starts a node: the durable log in the data directory, the swarm's owner, HTTP and WebSocket on one port; or, where the
 * configuration names brokers, the owner and HTTP on those. Rejects with `unauthorised` (a listener beyond loopback),
 * `port-in-use`, `locked`, `future-version`, `corrupt`, `disk-full`; with `connection-lost` and `unsupported` on brokers.
 */
export async function startNode(config: NodeConfig, dependencies: NodeDependencies): Promise<RunningNode> {
  checkListenHost(config.listen.host)
  const { random, log } = dependencies
  // Node time: what was too late once must stay too late, whoever sets the machine's clock.
  const clock = steadyClock(dependencies.clock)
  const onError = (error: unknown) => tellError(log, error)
  // Until all of it runs, a failure closes what was opened, the last first.
  await using parts = new AsyncDisposableStack()
  const keep = <Part extends { close(): Promise<void> | void }>(part: Part) =>
    parts.adopt(part, async (made) => made.close())

  const port = keep(await reservePort(config.listen))
  const onDiskChange = (state: DiskState) => tellDisk(log, state)
  const store = await openNodeStore(config, { clock, random, disk: dependencies.disk, onDiskChange, keep })
  const bus = shardedBus(store.bus, { clock, random })
  const { disk, network } = dependencies
  const logs = await openRaftLogs(config, { clock, random, disk, network, keep })
  const onFound = (segment: DamagedSegment) => log.error(DAMAGED, { ...segment })
  const damage = keep(new DamageWatch(store.damaged, { clock, onFound }))
  const probes = new NodeProbes(store.health, { logs, damage })
  keepTime(clock, store.newestMs, log)
  for (const topic of config.topics) await bus.open(topic as TopicSpec)
  let cutOff: (connection: string, why: string) => void = () => {}
  const onFenced = ({ agentId, byEpoch, connection }: FencedAgent) => {
    if (connection !== undefined) cutOff(connection, `epoch ${byEpoch} took the place of agent "${agentId}"`)
  }
  const services = keep(await openServices(store, config, { clock, random, onError, onFenced }))
  const { roster, nodeTime } = services
  const sender = `node-${Buffer.from(random.bytes(6)).toString('hex')}`
  const { httpBodyBytes: bodyBytesMax, pendingBytesPerClient: pendingBytesMax } = config.limits
  // It sends for every client of HTTP; the gateway sees to it that one connection has its share alone.
  const senderBytesMax = HTTP_CLIENTS_FULL * pendingBytesMax
  const commands = keep(
    await openCommandSender({
      ...{ bus, clock, random, roster, nodeTime, sender, onError },
      pendingBytesMax: senderBytesMax,
    }),
  )
  const admission = quotasOf(config, clock)
  if (admission !== undefined && store.log === undefined) tellUngoverned(log)
  const handed = { clock, random, onError, admission }
  const sockets = store.log && openSockets(store.log, services, config, handed)
  cutOff = (connection, why) => sockets?.disconnect(connection, why)
  const http = keep(
    await httpGateway({
      ...{ bus, clock, random, roster, commands, probes, version: VERSION, onError, admission },
      ...{ bodyBytesMax, pendingBytesMax, logs },
    }),
  )
  // Kept behind HTTP, it is closed before it: a server is not closed while one of its sockets is open.
  if (sockets !== undefined) takeUpgrades(http.server, keep(sockets))
  await port.close()
  const url = urlOf(config.listen.host, await http.listen(config.listen))
  probes.enter('running')
  log.info('listening', { url, data: store.place, version: VERSION })
  const bridges = keep(runNodeBridges(config, { clock, random, disk: dependencies.disk, log }))
  const archives = keep(runNodeArchives(config, { clock, random, disk: dependencies.disk, log }))
  return runningNode({
    url,
    clock,
    graceMs: config.shutdown.graceMs,
    drainInOrder: [bridges, archives, ...(sockets ? [sockets] : []), http, ...membersIn(logs), commands, services, bus],
    cutOff: parts.move(),
    onDrain: () => {
      probes.enter('stopping')
      log.info('draining', { url })
    },
  })
}

function membersIn(logs: ReadonlyMap<string, HostedRaftLog>) {
  return [...logs.values()].map(({ log }) => log)
}

/** So many clients of HTTP may have as much pending as one may; then all wait. */
const HTTP_CLIENTS_FULL = 8
const DAMAGED = 'What is stored is damaged, and was set aside: reading there is refused, all else goes on'
/** A difference that a person should hear of. */
const AHEAD_TOLD_MS = 1_000

interface Handed {
  readonly clock: Clock
  readonly random: Random
  readonly onError: (error: unknown) => void
}

/** Time goes on from what the last node stored: a clock set back while none ran must not make late commands fresh. */
function keepTime(clock: SteadyClock, newestMs: number, log: NodeLog): void {
  const aheadMs = newestMs - clock.nowMs()
  if (aheadMs > AHEAD_TOLD_MS) {
    const message = "The machine's clock is behind what is stored: node time goes on from there. Set the clock, or wait"
    log.warn(message, { aheadMs, newestStored: new Date(newestMs).toISOString() })
  }
  clock.notBefore(newestMs)
}

function openServices(
  { bus, durability }: NodeStore,
  config: NodeConfig,
  handed: Handed & Pick<NodeServicesOptions, 'onFenced'>,
): Promise<NodeServices> {
  const { pulseMs, suspectAfterPulses, lostAfterPulses, laggingSeconds } = config.swarm
  return hostNodeServices({
    bus,
    ...handed,
    durability,
    liveness: { pulseMs, suspectAfterPulses, lostAfterPulses },
    lag: { laggingSeconds },
  })
}

function openSockets(
  bus: Bus & RawAccess,
  services: NodeServices,
  config: NodeConfig,
  handed: Handed & { readonly admission: Quotas | undefined },
) {
  const { connections, subscriptionsPerClient, pendingBytesPerClient } = config.limits
  return websocketGateway({
    bus,
    ...handed,
    limits: {
      connectionsMax: connections,
      readersMax: subscriptionsPerClient,
      pendingBytesMax: pendingBytesPerClient,
    },
    authorise: clientAccess,
    agentsOn: (id) => services.roster.agentsOn(id),
    onConnectionClosed: (id) => services.connectionClosed(id),
  })
}

/** Undefined where everything is allowed. */
function quotasOf({ quotas: rules }: NodeConfig, clock: Clock): Quotas | undefined {
  const { principals, agents, topics } = rules
  if ([principals, agents, topics].every((kind) => kind.each === undefined && kind.named === undefined))
    return undefined
  // Optional keys come out of the schema as undefined, which means the same here.
  return quotas({ ...(rules as Omit<QuotasOptions, 'clock'>), clock })
}

function tellUngoverned(log: NodeLog): void {
  log.warn('The quotas hold for HTTP alone: other clients publish at the brokers, past this node; set quotas there')
}

function urlOf(host: string, port: number): string {
  return `http://${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${port}`
}

function tellDisk(log: NodeLog, state: DiskState): void {
  if (state === 'room') log.info('The disk has room again: the node is ready')
  else if (state === 'full') log.warn('The disk is full: writes are refused until there is room, reads go on')
  else log.error('A sync to disk failed: nothing more is written until the node is started again')
}

function tellError(log: NodeLog, error: unknown): void {
  const { code, retryable } = error instanceof SkeinError ? error : { code: 'internal', retryable: false }
  const message = error instanceof Error ? error.message : String(error)
  if (retryable) log.warn(message, { code })
  else log.error(message, { code })
}
