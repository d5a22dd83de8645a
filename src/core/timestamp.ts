/** ISO 8601 as people write it: a day, or a day and a time, with a zone or in that of the machine. */
const ISO = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})?)?$/
const MILLISECONDS = /^\d{1,15}$/

/**
 * The time that a text says, in ms since 1970-01-01 UTC: ISO 8601, or those milliseconds themselves. Undefined for all
 * else: what the machine's own parser makes of "region 5" is a day of the year 2001.
 */
export function timestampMs(text: string): number | undefined {
  if (MILLISECONDS.test(text)) return Number(text)
  const parsed = ISO.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(parsed) ? undefined : parsed
}
