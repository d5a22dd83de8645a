import {
  bootstrapState,
  type Configuration,
  type Entry,
  type HardState,
  type Message,
  type NodeId,
  type RaftLimits,
  RaftNode,
  type Ready,
  type SnapshotMetadata,
} from '../../src/raft/index.ts'
import { showEntries, showMessage, showSnapshot } from './show.ts'

/** What a node's disk has. */
export interface Stored {
  hardState: HardState
  snapshot: SnapshotMetadata | undefined
  entries: Entry[]
  applied: number | undefined
  configuration: Configuration | undefined
}

interface Host {
  readonly id: NodeId
  readonly limits: Partial<RaftLimits>
  readonly stored: Stored
  node: RaftNode
  /** Handed out and not yet durable, oldest first. */
  writes: Ready[]
  /** Reported as durable while an earlier one was not. */
  early: Set<Ready>
  /** Handed out to be applied, oldest first. */
  toApply: Array<Entry | SnapshotMetadata>
  isUp: boolean
}

/** Draws nothing: election timeouts are the shortest, and the requests of reads count from 1. */
const NO_CHANCE = { float: () => 0, bytes: (length: number) => new Uint8Array(length) }

/**
 * Nodes on disks and a network that do only what a transcript says. Whatever the nodes have to say is taken from them at
 * once and told as lines of text; messages then wait in the network, and writes before the disk.
 */
export class TranscriptWorld {
  readonly hosts = new Map<NodeId, Host>()
  network: Message[] = []
  #lines: string[] = []
  #isQuiet = false

  host(id: NodeId): Host {
    const host = this.hosts.get(id)
    if (host === undefined) throw new Error(`there is no node ${id}`)
    return host
  }

  /** The node, to be called; what it then has to say is told when the call is over. */
  call(id: NodeId, action: (node: RaftNode) => void): void {
    const host = this.host(id)
    if (!host.isUp) throw new Error(`node ${id} is down`)
    try {
      action(host.node)
    } finally {
      this.#drain(host)
    }
  }

  say(line: string): void {
    if (!this.#isQuiet) this.#lines.push(line)
  }

  /** The lines since the last time. */
  take(): string[] {
    const lines = this.#lines
    this.#lines = []
    return lines
  }

  quietly(action: () => void): void {
    this.#isQuiet = true
    try {
      action()
    } finally {
      this.#isQuiet = false
    }
  }

  bootstrap(ids: readonly NodeId[], limits: Partial<RaftLimits>): void {
    const { hardState, entries } = bootstrapState(ids)
    this.quietly(() => {
      for (const id of ids) {
        const stored = {
          hardState,
          snapshot: undefined,
          entries: [...entries],
          applied: undefined,
          configuration: undefined,
        }
        this.add(id, { limits, stored })
        this.apply(id)
      }
    })
  }

  add(id: NodeId, options: { readonly limits: Partial<RaftLimits>; readonly stored: Stored }): void {
    const node = boot(id, options)
    const host: Host = { id, ...options, node, writes: [], early: new Set(), toApply: [], isUp: true }
    this.hosts.set(id, host)
    this.#drain(host)
  }

  #drain(host: Host): void {
    const { id, node } = host
    for (let ready = node.ready(); ready !== undefined; ready = node.ready()) {
      this.#tell(id, ready)
      this.network.push(...ready.messages)
      for (const message of ready.messages) this.say(showMessage(message))
      if (ready.token !== undefined) host.writes.push(ready)
      if (ready.snapshot !== undefined) host.toApply.push(ready.snapshot)
      host.toApply.push(...ready.committed)
    }
  }

  #tell(id: NodeId, ready: Ready): void {
    const { softState, hardState, entries, snapshot, committed, token } = ready
    if (softState !== undefined)
      this.say(`${id} is ${softState.role}${softState.leader > 0 ? ` under ${softState.leader}` : ''}`)
    const writes: string[] = []
    if (hardState !== undefined) writes.push(`term=${hardState.term} vote=${hardState.vote} commit=${hardState.commit}`)
    if (snapshot !== undefined) writes.push(`snapshot ${showSnapshot(snapshot)}`)
    if (entries.length > 0) writes.push(`entries ${showEntries(entries)}`)
    if (token !== undefined) this.say(`${id} write ${token.sequence}: ${writes.join(', ') || 'nothing'}`)
    for (const message of ready.messagesAfterPersist) this.say(`  then ${showMessage(message)}`)
    if (committed.length > 0) this.say(`${id} may apply ${showEntries(committed)}`)
    for (const { index, context } of ready.readStates) this.say(`${id} may read ${context} at ${index}`)
    for (const context of ready.abortedReads) this.say(`${id} gives up reading ${context}`)
  }

  /**
   * Completes a write: the oldest, or the one with this number, ahead of those before it. The node is told at once; what the
   * write makes true, and the messages that wait for it, come when those before it are done, too.
   */
  persist(id: NodeId, sequence?: number): boolean {
    const host = this.host(id)
    const ready = host.writes.find((write) => sequence === undefined || write.token?.sequence === sequence)
    if (ready === undefined) return false
    host.early.add(ready)
    while (host.writes[0] !== undefined && host.early.delete(host.writes[0])) this.#store(host, host.writes.shift()!)
    this.call(id, (node) => node.persisted(ready.token!))
    return true
  }

  #store(host: Host, ready: Ready): void {
    store(host.stored, ready)
    for (const message of ready.messagesAfterPersist) this.say(showMessage(message))
    this.network.push(...ready.messagesAfterPersist)
  }

  /** Applies all that was handed out and is stored. */
  apply(id: NodeId, through = Number.POSITIVE_INFINITY): boolean {
    const { toApply, stored } = this.host(id)
    const before = toApply.length
    while (toApply[0] !== undefined && toApply[0].index <= through) {
      const next = toApply[0]
      const isSnapshot = 'configuration' in next
      if (isSnapshot && (stored.snapshot?.index ?? 0) < next.index) break
      toApply.shift()
      this.call(id, (node) => {
        if (!isSnapshot && next.kind === 'config') node.applyConfigChange(next)
        node.applied(Math.max(next.index, node.status().applied))
      })
    }
    return toApply.length < before
  }

  deliver(message: Message): void {
    this.network.splice(this.network.indexOf(message), 1)
    if (this.hosts.get(message.to)?.isUp !== true) return
    this.call(message.to, (node) => node.step(message))
    if (message.type === 'snapshot' && this.hosts.get(message.from)?.isUp === true) {
      this.call(message.from, (node) => node.reportSnapshot(message.to, true))
    }
  }

  /** Lets the nodes do everything there is to do, in order; messages to anyone else are lost. */
  run(ids: readonly NodeId[]): void {
    for (let round = 0; round < 1_000; round += 1) {
      let isBusy = false
      for (const message of [...this.network]) {
        isBusy = true
        if (ids.includes(message.to) && ids.includes(message.from)) this.deliver(message)
        else this.network.splice(this.network.indexOf(message), 1)
      }
      for (const id of ids) {
        if (!this.host(id).isUp) continue
        while (this.persist(id)) isBusy = true
        if (this.apply(id)) isBusy = true
      }
      if (!isBusy) return
    }
    throw new Error('the nodes do not come to rest')
  }

  crash(id: NodeId): void {
    const host = this.host(id)
    host.isUp = false
    host.writes = []
    host.early.clear()
    host.toApply = []
  }

  restart(id: NodeId): void {
    const host = this.host(id)
    this.crash(id)
    host.node = boot(id, host)
    host.isUp = true
    this.#drain(host)
  }
}

function boot(
  id: NodeId,
  { limits, stored }: { readonly limits: Partial<RaftLimits>; readonly stored: Stored },
): RaftNode {
  return new RaftNode({ id, random: NO_CHANCE, state: stored, ...limits })
}

function store(stored: Stored, { hardState, snapshot, entries }: Ready): void {
  if (hardState !== undefined) stored.hardState = hardState
  if (snapshot !== undefined) {
    stored.snapshot = snapshot
    stored.entries = []
    stored.applied = undefined
    stored.configuration = undefined
  }
  const first = entries[0]?.index
  if (first === undefined) return
  stored.entries = [...stored.entries.filter((entry) => entry.index < first), ...entries]
}
