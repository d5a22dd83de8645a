import type { Message, NodeId, RaftLimits } from '../../src/raft/index.ts'
import { showConfiguration, showEntries, showMessage, showPeer, showStatus } from './show.ts'
import type { TranscriptWorld } from './transcript-world.ts'
import {
  number,
  place,
  readChanges,
  readConfiguration,
  readLog,
  readMessage,
  readWords,
  route,
  type Words,
} from './words.ts'

type Command = (world: TranscriptWorld, words: Words, text: string) => void

/** Everything a transcript can say; `README.md` beside it explains each. */
const COMMANDS: Readonly<Record<string, Command>> = {
  group: (world, words) => world.bootstrap(words.plain.map(number), readLimits(words)),
  node: addNode,
  tick: (world, { plain: [id, count = '1'] }) => {
    for (let left = number(count); left > 0; left -= 1) world.call(number(id), (node) => node.tick())
  },
  campaign: (world, { plain: [id] }) => world.call(number(id), (node) => node.campaign()),
  propose: (world, { plain: [id, ...data] }) => {
    world.call(number(id), (node) => node.propose(data.map((text) => new TextEncoder().encode(text))))
  },
  change: (world, { plain: [id, mode, ...changes] }) => {
    const change = { mode: mode as 'auto', changes: readChanges(changes) }
    world.call(number(id), (node) => node.proposeConfigChange(change))
  },
  read: (world, { plain: [id, ...contexts] }) => {
    world.call(number(id), (node) => {
      for (const context of contexts) node.readIndex(context)
    })
  },
  transfer: (world, { plain: [id, target] }) => {
    world.call(number(id), (node) => node.transferLeadership(number(target)))
  },
  forget: (world, { plain: [id] }) => world.call(number(id), (node) => node.forgetLeader()),
  unreachable: (world, { plain: [id, peer] }) => {
    world.call(number(id), (node) => node.reportUnreachable(number(peer)))
  },
  persist,
  apply: (world, { plain: [id, through] }) => {
    world.apply(number(id), through === undefined ? undefined : number(through))
  },
  deliver: (world, { plain }) => {
    for (const message of select(world, plain)) world.deliver(message)
  },
  repeat: (world, { plain }) => {
    for (const message of select(world, plain)) world.network.push({ ...message })
  },
  lose: (world, { plain }) => lose(world, select(world, plain)),
  send: (world, words) => {
    const message = readMessage(words)
    world.call(message.to, (node) => node.step(message))
  },
  waiting: (world, { plain }) => {
    for (const message of select(world, plain)) world.say(showMessage(message))
  },
  run: (world, { plain }) => world.run(idsOf(world, plain)),
  settle: (world, { plain }) => world.quietly(() => world.run(idsOf(world, plain))),
  quietly: (world, _, text) => world.quietly(() => execute(world, text)),
  crash: (world, { plain: [id] }) => world.crash(number(id)),
  restart: (world, { plain: [id] }) => world.restart(number(id)),
  snapshot,
  compact: (world, { plain: [id, index] }) => {
    const { stored } = world.host(number(id))
    world.call(number(id), (node) => node.compact(number(index)))
    stored.entries = stored.entries.filter((entry) => entry.index > number(index))
  },
  status: (world, { plain }) => {
    for (const id of idsOf(world, plain)) world.say(showStatus(world.host(id).node.status()))
  },
  peers: (world, { plain: [id] }) => {
    const { peers } = world.host(number(id)).node.status()
    for (const peer of peers.filter((each) => each.id !== number(id))) world.say(showPeer(peer))
  },
  configuration: (world, { plain }) => {
    for (const id of idsOf(world, plain))
      world.say(`${id} ${showConfiguration(world.host(id).node.status().configuration)}`)
  },
  disk: (world, { plain }) => {
    for (const id of idsOf(world, plain)) {
      const { hardState, entries } = world.host(id).stored
      world.say(
        `${id} term=${hardState.term} vote=${hardState.vote} commit=${hardState.commit} ${showEntries(entries)}`,
      )
    }
  },
}

/** Carries out one line of a transcript. */
export function execute(world: TranscriptWorld, line: string): void {
  const [name = ''] = line.trim().split(/\s+/, 1)
  const text = line.trim().slice(name.length).trim()
  const command = COMMANDS[name]
  if (command === undefined) throw new Error(`there is no command "${name}"`)
  command(world, readWords(text), text)
}

const NUMBERS = ['heartbeatTicks', 'electionTicks', 'messageBytesMax', 'inflightMessagesMax', 'inflightBytesMax']
const MORE_NUMBERS = ['entryBytesMax', 'uncommittedBytesMax', 'applyBytesMax', 'pendingReadsMax']

function readLimits({ valued }: Words): Partial<RaftLimits> {
  const limits: Record<string, number | boolean> = {}
  for (const name of [...NUMBERS, ...MORE_NUMBERS]) {
    const value = valued.get(name)
    if (value !== undefined) limits[name] = number(value)
  }
  for (const name of ['preVote', 'checkQuorum']) if (valued.has(name)) limits[name] = valued.get(name) === 'yes'
  return limits
}

function addNode(world: TranscriptWorld, words: Words): void {
  const { plain, valued } = words
  const [index, term] = place(valued.get('snapshot'))
  const members = readConfiguration(words)
  const snapshot = index > 0 && members !== undefined ? { index, term, configuration: members } : undefined
  const entries = readLog(valued.get('log'), Number(valued.get('first') ?? index + 1))
  const hardState = {
    term: number(valued.get('term') ?? '0'),
    vote: number(valued.get('vote') ?? '0'),
    commit: number(valued.get('commit') ?? `${index}`),
  }
  const applied = valued.has('applied') ? number(valued.get('applied')) : undefined
  const stored = { hardState, snapshot, entries, applied, configuration: members }
  world.add(number(plain[0]), { limits: readLimits(words), stored })
}

function persist(world: TranscriptWorld, { plain: [id, sequence] }: Words): void {
  if (sequence !== undefined) {
    if (!world.persist(number(id), number(sequence))) throw new Error(`node ${id} has no write ${sequence}`)
  } else while (world.persist(number(id))) {}
}

/** A durable snapshot through an entry, by default through what is applied. */
function snapshot(world: TranscriptWorld, { plain: [id, index] }: Words): void {
  const host = world.host(number(id))
  world.call(host.id, (node) => {
    const metadata = node.snapshotMetadata(index === undefined ? node.status().applied : number(index))
    host.stored.snapshot = metadata
    node.snapshotTaken(metadata)
  })
}

/** `1->2`, `to 2`, `from 1`, each with an optional type of message; nothing: all. */
function select(world: TranscriptWorld, plain: readonly string[]): Message[] {
  const [first, second] = plain
  if (first === undefined) return [...world.network]
  const type = first.includes('->') ? second : plain[2]
  const ofType = (message: Message) => type === undefined || message.type === type
  if (first.includes('->')) {
    const [from, to] = route(first)
    return world.network.filter((message) => message.from === from && message.to === to && ofType(message))
  }
  const id = number(second)
  return world.network.filter((message) => (first === 'to' ? message.to : message.from) === id && ofType(message))
}

function lose(world: TranscriptWorld, messages: readonly Message[]): void {
  world.network = world.network.filter((message) => !messages.includes(message))
  for (const { type, from, to } of messages) {
    if (type === 'snapshot') world.call(from, (node) => node.reportSnapshot(to, false))
  }
}

function idsOf(world: TranscriptWorld, plain: readonly string[]): NodeId[] {
  return plain.length === 0 ? [...world.hosts.keys()] : plain.map(number)
}
