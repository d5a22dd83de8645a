import type { Entry } from '../../src/raft/index.ts'
import type { FaultPlan } from '../../testing/index.ts'
import type { GroupRecord } from './check/group-record.ts'
import { decodeCommand, type Reply, StateMachine } from './state-machine.ts'
import { Violation } from './violation.ts'

type Verification = FaultPlan['verify'][number]

interface Effect {
  readonly index: number
  readonly result: boolean | null
}

/** What clients were told, against what the log says: a state machine of its own applies every committed entry once. */
export class Oracle {
  /** No acknowledged command stands behind this entry. */
  ackedThrough = 0
  readonly #group: GroupRecord
  readonly #machine = new StateMachine(Number.POSITIVE_INFINITY)
  readonly #effects = new Map<string, Effect>()
  readonly #acked = new Map<string, number>()
  readonly #logTimes = new Map<number, number>()
  /** The last sequence that took effect, by client and key. */
  readonly #sequences = new Map<string, number>()
  readonly #verify: ReadonlySet<Verification>

  constructor(group: GroupRecord, verify: readonly Verification[]) {
    this.#group = group
    this.#verify = new Set(verify)
  }

  /** A node applied an entry: its reply is the one that everybody gives, and each command takes effect once. */
  applied(id: number, entry: Entry, reply: Reply | undefined): void {
    while (this.#machine.applied < entry.index) this.#applyNext()
    if (entry.kind !== 'command' || reply === undefined) return
    const command = decodeCommand(entry.data)
    if (command.type === 'level') return
    const key = `${command.client}#${command.sequence}`
    const effect = this.#effects.get(key)
    if (effect === undefined || reply.isStale) return
    if (this.#verify.has('effect-once') && (effect.index !== reply.index || effect.result !== reply.result)) {
      const what = `node ${id} answers ${key} with ${reply.result} of entry ${reply.index}; the answer is ${effect.result} of entry ${effect.index}`
      throw new Violation('the same command has the same reply', what)
    }
  }

  #applyNext(): void {
    const entry = this.#group.committedEntry(this.#machine.applied + 1)!
    const before = this.#machine.logTimeMs
    const outputs = this.#machine.outputs
    const reply = this.#machine.apply(entry)
    this.#logTimes.set(entry.index, this.#machine.logTimeMs)
    if (this.#machine.logTimeMs < before) throw new Violation('log time never goes back', `entry ${entry.index}`)
    this.#group.stateIs(0, entry.index, this.#machine.hash)
    if (entry.kind !== 'command' || reply === undefined || reply.isRepeat) return
    const command = decodeCommand(entry.data)
    if (command.type === 'level') return
    const key = `${command.client}#${command.sequence}`
    const isRepeated = this.#effects.has(key) || this.#machine.outputs !== outputs + 1
    if (isRepeated && this.#verify.has('effect-once')) {
      throw new Violation('one command, one effect', `${key} takes effect again at entry ${entry.index}`)
    }
    this.#effects.set(key, { index: entry.index, result: reply.result })
    this.#checkOrder(command)
  }

  /** A client's commands on a key take effect in the order of its calls. */
  #checkOrder({
    client,
    key,
    sequence,
  }: {
    readonly client: string
    readonly key: string
    readonly sequence: number
  }): void {
    const before = this.#sequences.get(`${client} ${key}`) ?? 0
    this.#sequences.set(`${client} ${key}`, sequence)
    if (sequence > before || !this.#verify.has('order-per-key')) return
    throw new Violation('order per key', `${client}#${sequence} on ${key} takes effect after #${before}`)
  }

  /** How many acknowledged commands stand behind this entry. */
  ackedBeyond(index: number): number {
    return [...this.#acked.values()].filter((acked) => acked > index).length
  }

  /** A client was told that its command took effect. */
  acknowledged(client: string, sequence: number, reply: Reply): void {
    const key = `${client}#${sequence}`
    const effect = this.#effects.get(key)
    if (this.#verify.has('no-acked-loss') && (effect === undefined || effect.index !== reply.index)) {
      throw new Violation('what is acknowledged is in the log', `${key} at entry ${reply.index} is not`)
    }
    this.#acked.set(key, reply.index)
    this.ackedThrough = Math.max(this.ackedThrough, reply.index)
  }

  /** A client read a state: it holds what was acknowledged before the read began. */
  wasRead(client: string, read: { readonly applied: number; readonly floor: number }): void {
    if (read.applied >= read.floor || !this.#verify.has('linearizable')) return
    const what = `${client} read the state after entry ${read.applied}; entry ${read.floor} was acknowledged before`
    throw new Violation('a read sees what was acknowledged', what)
  }

  /** At the end: everything acknowledged is there, and a replay of the log gives the state that the nodes have. */
  finish(states: ReadonlyArray<{ readonly id: number; readonly machine: StateMachine }>): void {
    const replayed = new StateMachine(Number.POSITIVE_INFINITY)
    const through = Math.max(0, ...states.map(({ machine }) => machine.applied))
    for (let index = 1; index <= through; index += 1) replayed.apply(this.#group.committedEntry(index)!)
    for (const { id, machine } of states) {
      const again = new StateMachine(Number.POSITIVE_INFINITY, machine.image())
      if (again.hash !== machine.hash) {
        throw new Violation('a snapshot is the state', `the image of node ${id} has another hash than its state`)
      }
      if (machine.applied === through && machine.hash !== replayed.hash) {
        throw new Violation('replay gives the same state', `node ${id} has another state than a replay of the log`)
      }
      if (machine.applied < this.ackedThrough && this.#verify.has('no-acked-loss')) {
        throw new Violation('what is acknowledged is kept', `node ${id} ends before entry ${this.ackedThrough}`)
      }
    }
  }

  get ackedCount(): number {
    return this.#acked.size
  }
}
