import type { Entry } from '../../../src/raft/index.ts'
import type { Reply, StateMachine } from '../state-machine.ts'
import type { MemberHost } from './member.ts'
import type { SnapshotFile } from './snapshot-file.ts'

interface ApplierOptions {
  readonly machine: StateMachine
  readonly applyConfig: (entry: Entry) => void
  readonly applied: (entry: Entry, reply: Reply | undefined) => void
  /** Everything through this index has taken effect. */
  readonly advanced: (index: number) => void
}

type Task =
  | { readonly entries: readonly Entry[] }
  | { readonly snapshot: SnapshotFile /** Until then nothing behind it may be applied. */; isDurable: boolean }

/** Applies what was committed, in order, in its own time: behind the log, as a busy state machine is. */
export class Applier {
  machine: StateMachine
  readonly #host: MemberHost
  readonly #options: ApplierOptions
  readonly #tasks: Task[] = []
  #isBusy = false

  constructor(host: MemberHost, options: ApplierOptions) {
    this.#host = host
    this.#options = options
    this.machine = options.machine
  }

  apply(entries: readonly Entry[]): void {
    if (entries.length === 0) return
    this.#tasks.push({ entries })
    this.#work()
  }

  restore(snapshot: SnapshotFile): void {
    this.#tasks.push({ snapshot, isDurable: false })
  }

  restoreIsDurable(snapshot: SnapshotFile): void {
    for (const task of this.#tasks) if ('snapshot' in task && task.snapshot === snapshot) task.isDurable = true
    this.#work()
  }

  /** One delay for all that waits: a slow state machine falls behind by its slowness, not by how often the log moves. */
  #work(): void {
    if (this.#isBusy || this.#next() === undefined) return
    this.#isBusy = true
    const { applyMsMax, random } = this.#host
    const run = () => {
      for (let task = this.#next(); task !== undefined; task = this.#next()) {
        this.#tasks.shift()
        if ('snapshot' in task) this.#restore(task.snapshot)
        else this.#applyAll(task.entries)
      }
      this.#isBusy = false
      this.#options.advanced(this.machine.applied)
      this.#work()
    }
    if (applyMsMax === 0) run()
    else this.#host.after(random.float() * applyMsMax, run)
  }

  #next(): Task | undefined {
    const [task] = this.#tasks
    return task !== undefined && 'snapshot' in task && !task.isDurable ? undefined : task
  }

  #restore({ metadata, state }: SnapshotFile): void {
    if (metadata.index <= this.machine.applied) return
    this.machine = this.#host.createStateMachine(state)
    this.#host.restored(this.machine)
  }

  #applyAll(entries: readonly Entry[]): void {
    for (const entry of entries) {
      // What was handed out before a snapshot came is in it.
      if (entry.index <= this.machine.applied) {
        if (entry.kind === 'config') this.#options.applyConfig(entry)
        continue
      }
      const reply = this.machine.apply(entry)
      if (entry.kind === 'config') this.#options.applyConfig(entry)
      this.#host.applied(entry, reply, this.machine)
      this.#options.applied(entry, reply)
    }
  }
}
