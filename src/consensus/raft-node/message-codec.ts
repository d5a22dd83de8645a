import { SkeinError } from '../../core/index.ts'
import type { AppendMessage, Message, NodeId } from '../../raft/index.ts'
import { encodeEntries, readEntries } from './entry-codec.ts'

/** Snapshots travel on a lane of their own. */
export type LinkMessage = Exclude<Message, { readonly type: 'snapshot' }>

type Fields = readonly number[]
type Envelope = { readonly from: NodeId; readonly to: NodeId; readonly term: number }

/** How one type of message is written: its numbers in order, after the term; truths are 0 and 1. */
interface Shape {
  readonly type: LinkMessage['type']
  readonly count: number
  readonly fields: (message: never) => Fields
  readonly make: (envelope: Envelope, fields: Fields) => LinkMessage
}

function shape<T extends LinkMessage['type']>(
  type: T,
  count: number,
  fields: (message: Extract<LinkMessage, { readonly type: T }>) => Fields,
  make: (fields: Fields) => Omit<Extract<LinkMessage, { readonly type: T }>, keyof Envelope | 'type'>,
): Shape {
  return {
    type,
    count,
    fields: fields as (message: never) => Fields,
    make: (envelope, values) => ({ type, ...envelope, ...make(values) }) as LinkMessage,
  }
}

/** The place in this list is the byte that names the type: new ones go to the end. */
const SHAPES: readonly Shape[] = [
  shape(
    'append',
    3,
    ({ prevIndex, prevTerm, commit }) => [prevIndex, prevTerm, commit],
    ([prevIndex, prevTerm, commit]) => ({ prevIndex: prevIndex!, prevTerm: prevTerm!, commit: commit!, entries: [] }),
  ),
  shape(
    'append-accepted',
    1,
    ({ index }) => [index],
    ([index]) => ({ index: index! }),
  ),
  shape(
    'append-rejected',
    3,
    ({ index, hintIndex, hintTerm }) => [index, hintIndex, hintTerm],
    ([index, hintIndex, hintTerm]) => ({ index: index!, hintIndex: hintIndex!, hintTerm: hintTerm! }),
  ),
  shape(
    'heartbeat',
    2,
    ({ commit, readRound }) => [commit, readRound],
    ([commit, readRound]) => ({ commit: commit!, readRound: readRound! }),
  ),
  shape(
    'heartbeat-reply',
    1,
    ({ readRound }) => [readRound],
    ([readRound]) => ({ readRound: readRound! }),
  ),
  shape(
    'vote-request',
    6,
    (message) => {
      const { commit, commitTerm, lastIndex, lastTerm, preVote, transfer } = message
      return [commit, commitTerm, lastIndex, lastTerm, Number(preVote), Number(transfer)]
    },
    ([commit, commitTerm, lastIndex, lastTerm, preVote, transfer]) => ({
      commit: commit!,
      commitTerm: commitTerm!,
      lastIndex: lastIndex!,
      lastTerm: lastTerm!,
      preVote: preVote === 1,
      transfer: transfer === 1,
    }),
  ),
  shape(
    'vote-reply',
    4,
    ({ commit, commitTerm, preVote, granted }) => [commit, commitTerm, Number(preVote), Number(granted)],
    ([commit, commitTerm, preVote, granted]) => ({
      commit: commit!,
      commitTerm: commitTerm!,
      preVote: preVote === 1,
      granted: granted === 1,
    }),
  ),
  shape(
    'timeout-now',
    0,
    () => [],
    () => ({}),
  ),
  shape(
    'transfer',
    1,
    ({ target }) => [target],
    ([target]) => ({ target: target! }),
  ),
  shape(
    'read-request',
    1,
    ({ request }) => [request],
    ([request]) => ({ request: request! }),
  ),
  shape(
    'read-reply',
    2,
    ({ request, index }) => [request, index],
    ([request, index]) => ({ request: request!, index: index! }),
  ),
]

const CODES = new Map(SHAPES.map(({ type }, code) => [type, code]))
const HEADER_BYTES = 9
const COUNT_BYTES = 4

/**
 * The body of a frame with this message, in pieces; the first has room for `headRoom` bytes before it. Type (1), term and the
 * type's numbers (8 each, doubles); of an append then the count of its entries (4), and they.
 */
export function encodeMessage(message: LinkMessage, headRoom: number): [head: Buffer, ...entries: Uint8Array[]] {
  const code = CODES.get(message.type)!
  const { count, fields } = SHAPES[code]!
  const isAppend = message.type === 'append'
  const head = Buffer.allocUnsafeSlow(headRoom + HEADER_BYTES + count * 8 + (isAppend ? COUNT_BYTES : 0))
  let at = head.writeUInt8(code, headRoom)
  at = head.writeDoubleLE(message.term, at)
  for (const value of fields(message as never)) at = head.writeDoubleLE(value, at)
  if (!isAppend) return [head]
  head.writeUInt32LE(message.entries.length, at)
  return [head, ...encodeEntries(message.entries)]
}

/** The message in a frame's body; who speaks is known from the connection. Throws `malformed-frame`. */
export function readMessage(body: Buffer, way: { readonly from: NodeId; readonly to: NodeId }): LinkMessage {
  const found = SHAPES[body[0] ?? -1]
  if (found === undefined) throw malformed(`type ${body[0]} is not known`)
  const end = HEADER_BYTES + found.count * 8
  if (body.length < end) throw malformed('it is cut off')
  const term = body.readDoubleLE(1)
  const fields: number[] = []
  for (let at = HEADER_BYTES; at < end; at += 8) fields.push(body.readDoubleLE(at))
  if (!isCount(term) || !fields.every(isCount)) throw malformed('a number in it is out of range')
  const message = found.make({ from: way.from, to: way.to, term }, fields)
  if (message.type === 'append') return withEntries(message, body, end)
  if (body.length !== end) throw malformed('something follows it')
  return message
}

function withEntries(message: AppendMessage, body: Buffer, at: number): AppendMessage {
  if (body.length < at + COUNT_BYTES) throw malformed('it is cut off')
  const count = body.readUInt32LE(at)
  return { ...message, entries: readEntries(body, { from: at + COUNT_BYTES, first: message.prevIndex + 1, count }) }
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

function malformed(why: string): SkeinError {
  return new SkeinError('malformed-frame', `Cannot read a message between Raft members: ${why}`)
}
