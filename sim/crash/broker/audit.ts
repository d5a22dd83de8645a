/** What the ledgers of a run show. */
export interface Audit {
  readonly acked: number
  /** Acknowledged to the writer, and never given to the consumer. */
  readonly lost: number
  /** First taken after a later one of its key. */
  readonly reordered: number
  /** Taken for an effect a second time. */
  readonly duplicateEffects: number
}

/** Lines of `key sequence`, in the order in which they were written. */
export function audit(ackedLines: readonly string[], effectLines: readonly string[]): Audit {
  const acked = new Set(ackedLines)
  const effects = new Set<string>()
  const last = new Map<string, number>()
  let [reordered, duplicateEffects] = [0, 0]
  for (const line of effectLines) {
    if (effects.has(line)) {
      duplicateEffects += 1
      continue
    }
    effects.add(line)
    const [key, text] = line.split(' ') as [string, string]
    const sequence = Number(text)
    if (sequence < (last.get(key) ?? -1)) reordered += 1
    else last.set(key, sequence)
  }
  const lost = [...acked].filter((line) => !effects.has(line)).length
  return { acked: acked.size, lost, reordered, duplicateEffects }
}
