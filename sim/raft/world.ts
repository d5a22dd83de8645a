import { crc32 } from 'node:zlib'
import type { Random } from '../../src/core/index.ts'
import { bootstrapState, type Configuration, membersOf } from '../../src/raft/index.ts'
import {
  CALM_VOLUME,
  type NetworkFault,
  type Operation,
  SimulatedEvents,
  SimulatedNetwork,
  seededRandom,
  type VolumeFault,
} from '../../testing/index.ts'
import { Atlas } from './atlas.ts'
import { Invariants } from './check/invariants.ts'
import { describeMessage } from './describe-message.ts'
import { Echoes } from './echoes.ts'
import type { Member, Packet, StartMember } from './member/member.ts'
import { RaftMember } from './member/raft-member.ts'
import { Store } from './member/store.ts'
import { Oracle } from './oracle.ts'
import type { Scenario } from './scenario.ts'
import { SimNode } from './sim-node.ts'
import { type FaultKind, Tally } from './tally.ts'

const NETWORK_FAULTS: Partial<Record<NetworkFault, FaultKind>> = {
  loss: 'network-loss',
  duplication: 'network-duplication',
  reordering: 'network-reordering',
  clog: 'network-clog',
  'queue-full': 'network-queue-full',
}

const VOLUME_FAULTS: Record<VolumeFault, FaultKind> = {
  'slow-sync': 'disk-latency',
  'lost-unsynced': 'disk-lost-unsynced',
  'torn-write': 'disk-torn-write',
  'read-corruption': 'disk-read-corruption',
  'sync-error': 'disk-sync-error',
  'disk-full': 'disk-full',
}

/** Bytes a snapshot travels with in a millisecond. */
const SNAPSHOT_BYTES_PER_MS = 200
const RESTART_MS = 400

export interface WorldOptions {
  readonly startMember?: StartMember
  /** Is given every line of the transcript; without it none is written. */
  readonly trace?: (line: string) => void
}

/** A whole cluster on simulated time, disks and network: all that it does follows from the scenario. */
export class World {
  readonly scenario: Scenario
  readonly events = new SimulatedEvents()
  readonly network: SimulatedNetwork<number, Packet>
  readonly nodes = new Map<number, SimNode>()
  readonly invariants: Invariants
  readonly oracle: Oracle
  readonly atlas: Atlas
  readonly tally = new Tally()
  readonly history: Operation[] = []
  /** Told before every write of a node; where disks are damaged. */
  onWrite: (node: SimNode, file: string) => void = () => {}
  /** Told when a node has applied a change of configuration. */
  onConfigApplied: (index: number) => void = () => {}
  /** Told when a process has started again. */
  onRestarted: () => void = () => {}
  readonly #startMember: StartMember
  readonly #trace: ((line: string) => void) | undefined
  readonly #damaged = new Set<number>()
  readonly #hangUps: Random
  readonly #echoes: Echoes
  #lastId = 0

  constructor(scenario: Scenario, options: WorldOptions = {}) {
    this.scenario = scenario
    this.#startMember = options.startMember ?? ((host) => new RaftMember(host))
    this.#trace = options.trace
    this.invariants = new Invariants(scenario.raft)
    this.oracle = new Oracle(this.invariants.group, scenario.verify)
    this.atlas = new Atlas(this)
    this.#hangUps = this.stream('hang-ups')
    this.#echoes = new Echoes(this.stream('echoes'))
    this.network = new SimulatedNetwork<number, Packet>({
      events: this.events,
      random: this.stream('network'),
      deliver: (packet, { from, to }) => this.#deliver(packet, from, to),
      onFault: (fault) => {
        const kind = NETWORK_FAULTS[fault]
        if (kind !== undefined) this.tally.count(kind)
      },
    })
  }

  /** A source of randomness of its own for each use, so that leaving out one does not change the others. */
  stream(use: string): Random {
    return seededRandom((Math.imul(this.scenario.seed, 0x9e3779b1) ^ crc32(use)) >>> 0)
  }

  /** The first members: all start from the same log, which makes them voters. */
  begin(): void {
    const voters = Array.from({ length: this.scenario.nodes }, (_, index) => index + 1)
    const state = bootstrapState(voters)
    for (const _ of voters) this.#addNode(state)
  }

  /** A new machine with an empty disk, under an id that was never used; it waits to be added. */
  addNode(): SimNode {
    return this.#addNode({ hardState: { term: 0, vote: 0, commit: 0 }, entries: [] })
  }

  #addNode(state: Parameters<typeof Store.create>[1]): SimNode {
    this.#lastId += 1
    const id = this.#lastId
    const node = new SimNode({
      id,
      version: this.#versionOfNew(),
      scenario: this.scenario,
      events: this.events,
      random: this.stream(`node ${id}`),
      invariants: this.invariants,
      startMember: this.#startMember,
      send: (from, to, packet) => this.#send(from, to, packet),
      onVolumeFault: (fault) => this.tally.count(VOLUME_FAULTS[fault]),
      onWrite: (writer, file) => this.onWrite(writer, file),
      onApplied: (applier, entry, reply) => {
        this.oracle.applied(applier.id, entry, reply)
        if (entry.kind === 'config') this.onConfigApplied(entry.index)
      },
      onInstalled: () => {
        this.tally.snapshotsInstalled += 1
      },
      onStop: (stopped, reason) => this.#stopped(stopped, reason),
    })
    this.nodes.set(id, node)
    this.invariants.added(id, node.volume)
    Store.create(node.volume, state, () => node.start())
    return node
  }

  #versionOfNew(): number {
    if (!this.scenario.isUpgraded) return 2
    return [...this.nodes.values()].some(({ version }) => version > 1) ? 2 : 1
  }

  /** The process ended by its own decision: after a while somebody starts it again, unless its disk is damaged. */
  #stopped(node: SimNode, reason: Error): void {
    this.note(() => `node ${node.id} stops: ${reason.message}`)
    node.crash()
    this.#hangUp(node)
    if (node.state !== 'damaged') this.events.after(RESTART_MS, () => this.restart(node))
  }

  restart(node: SimNode): void {
    if (node.state !== 'down') return
    this.note(() => `node ${node.id} starts`)
    node.start()
    this.onRestarted()
  }

  crash(node: SimNode): void {
    this.note(() => `node ${node.id} crashes`)
    node.crash()
    if (this.#hangUps.float() < 0.5) this.#hangUp(node)
  }

  /** A process ended on a machine that lives on: its connections are closed, and whoever is not cut off learns of it. */
  #hangUp({ id }: SimNode): void {
    for (const other of this.nodes.values()) {
      if (other.id === id || this.network.isCut(id, other.id)) continue
      this.events.after(1 + this.#hangUps.float() * 4, () => this.#tellUnreachable(other, id, { isGone: true }))
    }
  }

  #tellUnreachable(node: SimNode, peer: number, how: { readonly isGone: boolean }): void {
    node.run(() => node.member?.unreachable(peer, how))
  }

  /** A disk has damage that its node has not met yet. */
  noteDamage(id: number): void {
    this.#damaged.add(id)
    this.invariants.damaged(id)
  }

  hasDamage(id: number): boolean {
    return this.#damaged.has(id)
  }

  #send(from: number, to: number, packet: Packet): void {
    const { body } = packet
    this.note(() => `${from} → ${to} ${describeMessage(body)}`)
    if (this.network.isCut(from, to) && this.#hangUps.float() < 0.1) {
      // The connection breaks some time after what it carried was lost.
      const tell = () => this.#tellUnreachable(this.nodes.get(from)!, to, { isGone: false })
      this.events.after(20 + this.#hangUps.float() * 400, tell)
    }
    if (body.type === 'raft') this.#echoes.keep({ packet, from, to })
    const delayMs = body.type === 'snapshot' ? body.file.length / SNAPSHOT_BYTES_PER_MS : 0
    this.network.send(packet, { from, to, delayMs })
  }

  /** Messages that were sent long ago arrive once more. */
  echo(count: number): void {
    for (const { packet, from, to } of this.#echoes.draw(count)) {
      this.note(() => `again: ${from} → ${to} ${describeMessage(packet.body)}`)
      this.tally.count('network-duplication')
      this.network.send(packet, { from, to })
    }
  }

  #deliver(packet: Packet, from: number, to: number): void {
    const node = this.nodes.get(to)
    if (node === undefined || node.state === 'up') node?.receive(from, packet)
    // Nobody listens there: the sender is told.
    else this.#tellUnreachable(this.nodes.get(from)!, to, { isGone: true })
  }

  /** Whoever leads with the highest term, if it runs. */
  leader(): SimNode | undefined {
    let found: SimNode | undefined
    for (const node of this.running()) {
      const { role, term } = node.member!.status
      if (role === 'leader' && term > (found?.member?.status.term ?? 0)) found = node
    }
    return found
  }

  running(): SimNode[] {
    return [...this.nodes.values()].filter(({ isRunning }) => isRunning)
  }

  /** The configuration that is in force: the last committed change. */
  configuration(): Configuration {
    const { group } = this.invariants
    return group.configurationAt(group.commit)
  }

  /** Whether some log holds a change that is not committed yet. */
  hasPendingChange(): boolean {
    const { group } = this.invariants
    return [...this.nodes.keys()].some((id) => {
      const { log } = this.invariants.node(id)
      for (let index = group.commit + 1; index <= log.lastIndex; index += 1) {
        if (log.entry(index)?.kind === 'config') return true
      }
      return false
    })
  }

  isMember(member: Member): boolean {
    return membersOf(this.configuration()).includes(member.status.id)
  }

  /** Takes every fault back; what was damaged stays so. */
  calm(node: SimNode): void {
    node.volume.conditions = CALM_VOLUME
    node.clockRate = 1
    if (node.isPaused) node.resume()
    this.restart(node)
  }

  note(line: () => string): void {
    if (this.#trace === undefined) return
    this.#trace(`${(this.events.nowMs / 1_000).toFixed(6).padStart(11)} ${line()}`)
  }
}
