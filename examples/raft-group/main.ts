// Three members of a Raft group in one process, with arrays for disks and a queue for a network: the smallest driver there is.
import { bootstrapState, type Entry, type Message, RaftNode, type ReadState, type Ready } from 'skein/raft'
import { seededRandom } from 'skein/testing'

const text = new TextDecoder()
const network: Message[] = []

/** Drives one node: everything that happens to it goes through here. */
class Member {
  readonly node: RaftNode
  readonly #stored: Entry[]
  /** Read points that the state has not reached yet. */
  readonly #reads: ReadState[] = []
  readonly state: string[] = []

  constructor(id: number, members: readonly number[]) {
    const { hardState, entries } = bootstrapState(members)
    this.#stored = [...entries]
    this.node = new RaftNode({ id, random: seededRandom(id), state: { hardState, entries } })
  }

  /** After every call of the node: do what it says, until there is nothing left. */
  turn(): void {
    for (let ready = this.node.ready(); ready !== undefined; ready = this.node.ready()) {
      network.push(...ready.messages)
      this.#store(ready)
      network.push(...ready.messagesAfterPersist)
      if (ready.token !== undefined) this.node.persisted(ready.token)
      for (const entry of ready.committed) this.#apply(entry)
      this.#reads.push(...ready.readStates)
      this.#read()
    }
  }

  /** A real driver writes and syncs here, and does not wait: it goes on, and calls persisted() when the disk is done. */
  #store({ entries }: Ready): void {
    const first = entries[0]?.index
    if (first !== undefined) this.#stored.splice(first - 1, Number.POSITIVE_INFINITY, ...entries)
  }

  #apply(entry: Entry): void {
    if (entry.kind === 'config') this.node.applyConfigChange(entry)
    if (entry.kind === 'command') this.state.push(text.decode(entry.data))
    this.node.applied(entry.index)
  }

  /** A read sees everything that was committed before it was asked for, once that much is applied here. */
  #read(): void {
    const { applied } = this.node.status()
    while (this.#reads[0] !== undefined && this.#reads[0].index <= applied) {
      const { index, context } = this.#reads.shift()!
      console.log(`node ${this.node.id} reads ${context} at entry ${index}: ${this.state.join(', ')}`)
    }
  }
}

const members = new Map([1, 2, 3].map((id) => [id, new Member(id, [1, 2, 3])]))

/** Delivers until the network is quiet. */
function settle(): void {
  for (const member of members.values()) member.turn()
  for (let message = network.shift(); message !== undefined; message = network.shift()) {
    const member = members.get(message.to)!
    member.node.step(message)
    member.turn()
  }
}

/** A tick is 100 ms or so: one that a timer makes, and none that make up for a pause. */
function tick(): void {
  for (const { node } of members.values()) node.tick()
  settle()
}

settle()
const leader = () => [...members.values()].find(({ node }) => node.status().role === 'leader')
while (leader() === undefined) tick()

const { node } = leader()!
const proposed = node.propose([new TextEncoder().encode('claim'), new TextEncoder().encode('release')])
settle()
console.log(
  `entries ${proposed.first} to ${proposed.last} of term ${proposed.term} are committed: ${node.status().commit >= proposed.last}`,
)

// Whoever follows asks the leader, which asks a quorum whether it still leads.
const follower = [...members.values()].find((member) => member.node !== node)!
follower.node.readIndex('the tasks')
settle()
