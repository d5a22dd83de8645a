import { decodeRow, encodeRow, type InboxRow, numberField, parseObject, textField } from './inbox-row.ts'

/** One change of an inbox, as a journal keeps it. */
export type InboxChange =
  | { readonly kind: 'row'; readonly row: InboxRow }
  /** Rows of deadlines up to here are forgotten; these keys are among them. */
  | { readonly kind: 'forget'; readonly throughMs: number; readonly keys: readonly string[] }
  /** From this epoch on the agent keeps its inbox here. */
  | { readonly kind: 'session'; readonly agentId: string; readonly epoch: number }

export function encodeChange(change: InboxChange): string {
  return change.kind === 'row' ? encodeRow(change.row) : JSON.stringify(change)
}

/** Throws `corrupt` for what this build did not write. */
export function decodeChange(text: string): InboxChange {
  const fields = parseObject(text)
  if (fields.kind === 'forget') {
    return { kind: 'forget', throughMs: numberField(fields, 'throughMs'), keys: fields.keys as string[] }
  }
  if (fields.kind === 'session') {
    return { kind: 'session', agentId: textField(fields, 'agentId'), epoch: numberField(fields, 'epoch') }
  }
  return { kind: 'row', row: decodeRow(text) }
}
