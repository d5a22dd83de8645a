import type { Random } from '../../src/core/index.ts'
import { type SimulatedEvents, SimulatedVolume, type VolumeFault } from '../../testing/index.ts'
import type { Invariants } from './check/invariants.ts'
import type { Member, MemberHost, Packet, StartMember } from './member/member.ts'
import { DamagedDisk } from './member/recover.ts'
import { ObservedRaft } from './observed-raft.ts'
import type { Scenario } from './scenario.ts'
import { type Reply, StateMachine } from './state-machine.ts'

/** `damaged`: its disk lost what it had promised, so it never starts again. `gone`: taken away by its operator. */
export type NodeState = 'up' | 'down' | 'damaged' | 'gone'

export interface SimNodeOptions {
  readonly id: number
  readonly version: number
  readonly scenario: Scenario
  readonly events: SimulatedEvents
  readonly random: Random
  readonly invariants: Invariants
  readonly startMember: StartMember
  send(from: number, to: number, packet: Packet): void
  onVolumeFault(fault: VolumeFault): void
  onWrite(node: SimNode, file: string): void
  onApplied(node: SimNode, entry: Parameters<MemberHost['applied']>[0], reply: Reply | undefined): void
  onInstalled(): void
  /** The process ended by itself, or could not start. */
  onStop(node: SimNode, reason: Error): void
}

/** Unwinds a process that has ended itself. */
class ProcessEnded extends Error {}

function runToItsEnd(happen: () => void): void {
  try {
    happen()
  } catch (error) {
    if (!(error instanceof ProcessEnded)) throw error
  }
}

const DEFERRED_MAX = 5_000

/** One machine of the simulated world: its disk and clocks, and the process that runs on it from start to crash. */
export class SimNode {
  readonly id: number
  readonly volume: SimulatedVolume
  state: NodeState = 'down'
  version: number
  member: Member | undefined
  /** How fast its clock runs: 1.1 is 10 % fast. */
  clockRate = 1
  wallOffsetMs = 0
  readonly #options: SimNodeOptions
  #incarnation = 0
  #isPaused = false
  #deferred: Array<() => void> = []

  constructor(options: SimNodeOptions) {
    this.#options = options
    this.id = options.id
    this.version = options.version
    const { random, onVolumeFault } = options
    // What the disk answers reaches the process only while it runs, like anything else.
    const events = {
      after: (delayMs: number, happen: () => void) => options.events.after(delayMs, this.#inProcess(happen)),
    }
    this.volume = new SimulatedVolume({
      events,
      random,
      onFault: onVolumeFault,
      onWrite: (file) => options.onWrite(this, file),
    })
  }

  get isRunning(): boolean {
    return this.member !== undefined && !this.#isPaused
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  start(): void {
    const { invariants, startMember } = this.#options
    this.#incarnation += 1
    this.state = 'up'
    this.run(() => {
      try {
        this.member = startMember(this.#host())
      } catch (error) {
        if (!(error instanceof DamagedDisk)) throw error
        this.state = 'damaged'
        invariants.damaged(this.id)
        this.#options.onStop(this, error)
      }
    })
  }

  /** The process dies; with the power, what was not synced may be lost. */
  crash(): void {
    this.#incarnation += 1
    this.member = undefined
    this.#isPaused = false
    this.#deferred = []
    if (this.state === 'up') this.state = 'down'
    this.volume.crash()
    this.#options.invariants.crashed(this.id)
  }

  pause(): void {
    this.#isPaused = true
  }

  /** All that came meanwhile comes at once. */
  resume(): void {
    this.#isPaused = false
    const deferred = this.#deferred
    this.#deferred = []
    for (const happen of deferred) happen()
  }

  receive(from: number, packet: Packet): void {
    this.#inProcess(() => this.member?.receive(from, packet))()
  }

  /** Runs something in the process, unless it is paused: then later. */
  run(happen: () => void): void {
    this.#inProcess(happen)()
  }

  /** What is meant for one incarnation of the process never reaches another. */
  #inProcess(happen: () => void): () => void {
    const incarnation = this.#incarnation
    const attempt = () => {
      if (incarnation !== this.#incarnation) return
      if (!this.#isPaused) runToItsEnd(happen)
      else if (this.#deferred.length < DEFERRED_MAX) this.#deferred.push(attempt)
    }
    return attempt
  }

  #host(): MemberHost {
    const { events, scenario, invariants, random, send, onApplied, onInstalled, onStop } = this.#options
    const { tickMs, applyMsMax, snapshotEntries, keptEntries, raft } = scenario
    const isMine = this.#incarnation
    let core: ObservedRaft | undefined
    return {
      id: this.id,
      version: this.version,
      volume: this.volume,
      random,
      tickMs,
      applyMsMax,
      snapshotEntries,
      keptEntries,
      raftOptions: raft,
      after: (delayMs, callback) => events.after(delayMs / this.clockRate, this.#inProcess(callback)),
      wallMs: () => events.nowMs * this.clockRate + this.wallOffsetMs,
      send: (to, packet) => {
        if (packet.body.type !== 'snapshot-end') invariants.sent(this.id, packet.body.message)
        send(this.id, to, packet)
      },
      createRaft: (options) => {
        core = new ObservedRaft(options, invariants)
        return core
      },
      createStateMachine: (image) => new StateMachine(this.version, image),
      applied: (entry, reply, machine) => {
        invariants.applied(this.id, entry, { machine, status: core!.status() })
        onApplied(this, entry, reply)
      },
      restored: (machine) => {
        invariants.restored(this.id, machine)
        if (this.member !== undefined) onInstalled()
      },
      stop: (reason) => {
        if (isMine === this.#incarnation) onStop(this, reason)
        // Whatever the process was doing, it does no more.
        throw new ProcessEnded(reason.message)
      },
    }
  }
}
