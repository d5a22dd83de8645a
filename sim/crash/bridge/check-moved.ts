/** What the reader of the target found, held against what the writer to the source was told. */
export interface MovedFindings {
  /** Different messages in the target. */
  readonly moved: number
  /** Acknowledged at the source, and not in the target. */
  readonly lost: number
  /** In the target more than once, counted for each further time. */
  readonly doubled: number
  /** In the target behind a later one of their key. */
  readonly reordered: number
  /** With another subject, key, header or value than they were written with, or never written. */
  readonly changed: number
}

/** One message of the target: `line` is what its value begins with, `key number`. */
export interface FoundMessage {
  readonly line: string
  readonly subject: string
  readonly key: string | undefined
  readonly about: string | undefined
}

/** `found`: in the order of each partition. */
export function checkMoved(acked: Iterable<string>, found: readonly FoundMessage[], topic: string): MovedFindings {
  const seen = new Set<string>()
  const last = new Map<string, number>()
  let [doubled, reordered, changed] = [0, 0, 0]
  for (const { line, subject, key, about } of found) {
    if (seen.has(line)) {
      doubled += 1
      continue
    }
    seen.add(line)
    const [writtenKey = '', text] = line.split(' ')
    if (key !== writtenKey || about !== line || subject !== `${topic}.${writtenKey}`) changed += 1
    const number = Number(text)
    if (number < (last.get(writtenKey) ?? -1)) reordered += 1
    else last.set(writtenKey, number)
  }
  let lost = 0
  for (const line of acked) if (!seen.has(line)) lost += 1
  return { moved: seen.size, lost, doubled, reordered, changed }
}
