/** From the weakest on; `replicated` and `durable` say different things, and a benchmark asks for the latter. */
const LEVELS = ['none', 'written', 'replicated', 'durable', 'quorum-durable']

/** The weakest of the levels that receipts carried; `none` when there was no receipt. */
export function weakest(levels: readonly string[]): string {
  return LEVELS.find((level) => levels.includes(level)) ?? 'none'
}
