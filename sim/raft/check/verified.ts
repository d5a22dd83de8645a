import type { Message } from '../../../src/raft/index.ts'
import { Violation } from '../violation.ts'
import type { NodeRecord } from './node-record.ts'

type Of<Type extends Message['type']> = Extract<Message, { readonly type: Type }>

/** Told before what it handed out is noted: the log is still as the message found it. */
export function noteVerified(node: NodeRecord, { term, prevIndex, prevTerm, entries }: Of<'append'>): void {
  if (node.verified.term !== term) node.verified = { term, index: 0, entryTerm: 0 }
  const isEqual = prevIndex <= node.commit || node.log.term(prevIndex) === prevTerm
  const index = prevIndex + entries.length
  if (isEqual && index >= node.verified.index)
    node.verified = { term, index, entryTerm: entries.at(-1)?.term ?? prevTerm }
}

/** Behind what its messages have shown to be equal may lie another leader's entries, however durable. */
export function checkVerified(
  { from, term, index }: Of<'append-accepted'>,
  { verified, commit, log }: NodeRecord,
): void {
  const isThat = index < verified.index || (index === verified.index && log.term(index) === verified.entryTerm)
  if (index <= commit || (verified.term === term && isThat)) return
  const what = `node ${from} acknowledges entry ${index} in term ${term}, and was shown no more than ${verified.index}`
  throw new Violation('an acknowledgment says what was verified', what)
}
