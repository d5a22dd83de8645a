import { SkeinError } from '../core/index.ts'
import type { AppendMessage, Message, SnapshotMessage } from './message.ts'
import type { NodeId } from './node-id.ts'

/** The numbers of each type of message, beside its envelope. */
const NUMBERS: Readonly<Record<Message['type'], readonly string[]>> = {
  append: ['prevIndex', 'prevTerm', 'commit'],
  'append-accepted': ['index'],
  'append-rejected': ['index', 'hintIndex', 'hintTerm'],
  heartbeat: ['commit', 'readRound'],
  'heartbeat-reply': ['readRound'],
  'vote-request': ['commit', 'commitTerm', 'lastIndex', 'lastTerm'],
  'vote-reply': ['commit', 'commitTerm'],
  snapshot: [],
  'timeout-now': [],
  transfer: ['target'],
  'read-request': ['request'],
  'read-reply': ['request', 'index'],
}

/** Throws `bad-input` for a message that is not for this node, or that no node would send. */
export function checkMessage(id: NodeId, message: Message): void {
  const { type, to, from, term } = message
  const isFromPeer = isCount(from) && from > 0 && from !== id
  if (to !== id || !isFromPeer || !isCount(term) || !Object.hasOwn(NUMBERS, type)) {
    const what = `a "${type}" from node ${from} to node ${to} in term ${term}`
    throw refused(what, `this is node ${id}, and its peers speak otherwise`)
  }
  const values = message as unknown as Readonly<Record<string, unknown>>
  for (const name of NUMBERS[type]) {
    if (!isCount(values[name])) throw refused(`a "${type}" from node ${from}`, `its ${name} is ${values[name]}`)
  }
  if (type === 'append') checkEntries(message)
  else if (type === 'snapshot') checkSnapshot(message)
}

function checkSnapshot({ from, snapshot }: SnapshotMessage): void {
  const { index, term, configuration } = snapshot ?? {}
  if (isCount(index) && isCount(term) && Array.isArray(configuration?.voters)) return
  throw refused(`a snapshot from node ${from}`, 'it does not say where it ends, or who belongs to the group')
}

/** They follow each other, and terms never fall along a log. */
function checkEntries({ from, term, prevIndex, prevTerm, entries }: AppendMessage): void {
  if (!Array.isArray(entries)) throw refused(`an append from node ${from}`, 'it has no entries, not even none')
  let index = prevIndex
  let before = prevTerm
  for (const entry of entries) {
    index += 1
    if (entry.index !== index || !(entry.term >= before && entry.term <= term)) {
      const what = `an append of term ${term} from node ${from}`
      throw refused(
        what,
        `entry ${entry.index} of term ${entry.term} stands where ${index} belongs, after term ${before}`,
      )
    }
    before = entry.term
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function refused(what: string, why: string): SkeinError {
  return new SkeinError('bad-input', `Cannot take in ${what}: ${why}`)
}
