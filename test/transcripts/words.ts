import {
  type Configuration,
  configuration,
  type Entry,
  type MemberChange,
  type Message,
  type NodeId,
} from '../../src/raft/index.ts'

/** The words of a command: those on their own, and those with a value. */
export interface Words {
  readonly plain: readonly string[]
  readonly valued: ReadonlyMap<string, string>
}

export function readWords(text: string): Words {
  const words = text.split(/\s+/).filter((word) => word !== '')
  const valued = words.filter((word) => word.includes('=')).map((word) => word.split('=', 2) as [string, string])
  return { plain: words.filter((word) => !word.includes('=')), valued: new Map(valued) }
}

export function number(word: string | undefined): number {
  const value = Number(word)
  if (word === undefined || !Number.isSafeInteger(value)) throw new Error(`"${word}" is no number`)
  return value
}

function numbers(list: string | undefined): number[] {
  return list === undefined || list === '' ? [] : list.split(',').map(number)
}

/** `3/2` → index 3, term 2. */
export function place(word: string | undefined): readonly [index: number, term: number] {
  const [index, term] = (word ?? '0/0').split('/')
  return [number(index), number(term)]
}

/** `1->2`. */
export function route(word: string | undefined): readonly [from: NodeId, to: NodeId] {
  const [from, to] = (word ?? '').split('->')
  return [number(from), number(to)]
}

/** `voters=1,2 from=3 learners=4 next=5 auto=yes`; undefined where nothing of it is said. */
export function readConfiguration({ valued }: Words): Configuration | undefined {
  if (!valued.has('voters')) return undefined
  return configuration({
    voters: numbers(valued.get('voters')),
    votersOutgoing: numbers(valued.get('from')),
    learners: numbers(valued.get('learners')),
    learnersNext: numbers(valued.get('next')),
    autoLeave: valued.get('auto') === 'yes',
  })
}

/** `1x3,2`: three entries of term 1 and one of term 2, from an index on. */
export function readLog(word: string | undefined, first: number): Entry[] {
  const terms = (word ?? '').split(',').flatMap((run) => {
    if (run === '') return []
    const [term, count = '1'] = run.split('x')
    return Array.from({ length: number(count) }, () => number(term))
  })
  return terms.map((term, at) => emptyEntry(first + at, term))
}

/** `3/2,4/2:x`: entries by place, with data or empty. */
function readEntries(list: string | undefined): Entry[] {
  return (list ?? '').split(',').flatMap((word) => {
    if (word === '') return []
    const [at, text] = word.split(':')
    const [index, term] = place(at)
    if (text === undefined) return [emptyEntry(index, term)]
    return [{ index, term, kind: 'command' as const, data: new TextEncoder().encode(text) }]
  })
}

function emptyEntry(index: number, term: number): Entry {
  return { index, term, kind: 'empty', data: new Uint8Array(0) }
}

/** `add-voter 4 remove 3`. */
export function readChanges(words: readonly string[]): MemberChange[] {
  const changes: MemberChange[] = []
  for (let at = 0; at < words.length; at += 2) {
    changes.push({ action: words[at] as MemberChange['action'], id: number(words[at + 1]) })
  }
  return changes
}

/** A message written by hand: `1->2 append term=3 prev=2/2 commit=1 entries=3/3`. */
export function readMessage(words: Words): Message {
  const { plain, valued } = words
  const [from, to] = route(plain[0])
  const envelope = { from, to, term: number(valued.get('term')) }
  const [prevIndex, prevTerm] = place(valued.get('prev'))
  const [hintIndex, hintTerm] = place(valued.get('hint'))
  const [lastIndex, lastTerm] = place(valued.get('last'))
  const readRound = number(valued.get('round') ?? '0')
  const index = number(valued.get('index') ?? '0')
  switch (plain[1]) {
    case 'append': {
      const commit = number(valued.get('commit') ?? '0')
      return { ...envelope, type: 'append', prevIndex, prevTerm, commit, entries: readEntries(valued.get('entries')) }
    }
    case 'append-accepted':
      return { ...envelope, type: 'append-accepted', index }
    case 'append-rejected':
      return { ...envelope, type: 'append-rejected', index, hintIndex, hintTerm }
    case 'heartbeat':
      return { ...envelope, type: 'heartbeat', commit: number(valued.get('commit') ?? '0'), readRound }
    case 'heartbeat-reply':
      return { ...envelope, type: 'heartbeat-reply', readRound }
    case 'read-reply':
      return { ...envelope, type: 'read-reply', request: number(valued.get('request')), index }
    case 'timeout-now':
      return { ...envelope, type: 'timeout-now' }
    case 'vote-request':
    case 'vote-reply':
      return readVote(words, { ...envelope, lastIndex, lastTerm })
    case 'snapshot': {
      const [snapshotIndex, term] = place(valued.get('at'))
      const members = readConfiguration(words) ?? configuration()
      return { ...envelope, type: 'snapshot', snapshot: { index: snapshotIndex, term, configuration: members } }
    }
    default:
      throw new Error(`there is no message "${plain[1]}"`)
  }
}

interface VoteEnvelope {
  readonly from: NodeId
  readonly to: NodeId
  readonly term: number
  readonly lastIndex: number
  readonly lastTerm: number
}

function readVote({ plain, valued }: Words, { lastIndex, lastTerm, ...envelope }: VoteEnvelope): Message {
  const [commit, commitTerm] = place(valued.get('commit'))
  const common = { ...envelope, preVote: plain.includes('pre'), commit, commitTerm }
  if (plain[1] === 'vote-reply') return { ...common, type: 'vote-reply', granted: plain.includes('granted') }
  return { ...common, type: 'vote-request', lastIndex, lastTerm, transfer: plain.includes('transfer') }
}
