import type { Message } from '../message.ts'
import type { Part } from './generations.ts'

/** What of a batch goes to one part, as it is written there. */
export interface Share {
  readonly part: Part
  readonly messages: readonly Message[]
  /** In the batch. */
  readonly indexes: readonly number[]
}

/** Divides a batch by the parts of its subjects; the order within each stays. Throws what `partOf` throws. */
export function sharesOf(batch: readonly Message[], partOf: (subject: string) => Part): readonly Share[] {
  const shares = new Map<Part, { readonly messages: Message[]; readonly indexes: number[] }>()
  let subject: string | undefined
  let share: { readonly messages: Message[]; readonly indexes: number[] } | undefined
  let prefix = ''
  batch.forEach((message, index) => {
    if (share === undefined || message.subject !== subject) {
      subject = message.subject
      const part = partOf(subject)
      prefix = part.prefix
      share = shares.get(part) ?? { messages: [], indexes: [] }
      shares.set(part, share)
    }
    share.messages.push(prefix === '' ? message : { ...message, subject: prefix + message.subject })
    share.indexes.push(index)
  })
  return [...shares].map(([part, { messages, indexes }]) => ({ part, messages, indexes }))
}
