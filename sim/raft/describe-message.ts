import type { Packet } from './member/member.ts'

/** A packet in a line of a transcript. */
export function describeMessage(body: Packet['body']): string {
  if (body.type === 'snapshot-end') return `snapshot of ${body.index} arrived`
  const { type, from, to, term, ...rest } = body.message
  const parts = Object.entries(rest).map(([name, value]) => {
    if (name === 'entries') {
      const entries = value as ReadonlyArray<{ readonly index: number; readonly term: number }>
      return `entries [${entries.map((entry) => `${entry.index}@${entry.term}`).join(' ')}]`
    }
    return `${name} ${typeof value === 'object' ? JSON.stringify(value) : value}`
  })
  return `${type} t${term} ${parts.join(', ')}`
}
