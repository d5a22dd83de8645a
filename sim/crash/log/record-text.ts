import { type EncodedRecords, RecordBatchBuilder } from '../../../src/log/index.ts'

const FILLER = 'abcdefghijklmnopqrstuvwxyz'.repeat(20)

const LENGTHS = 3
const LENGTH_STEP = 60

/**
 * The value of the record with this number: its length and every character follow from the number. Few lengths, so that
 * what is left of an old batch often fits just behind a new one.
 */
export function textOf(number: number): string {
  const start = number % 26
  return `${number} ${FILLER.slice(start, start + ((number * 7919) % LENGTHS) * LENGTH_STEP)}`
}

/** The number in a value, or undefined when the value is not exactly what that number's would be. */
export function numberIn(text: string): number | undefined {
  const number = Number.parseInt(text, 10)
  return textOf(number) === text ? number : undefined
}

/** One batch with the records numbered from `first`. */
export function numberedRecords(first: number, count: number): EncodedRecords {
  const builder = new RecordBatchBuilder({ initialBytes: 1024 })
  for (let number = first; number < first + count; number += 1) {
    builder.add({
      subject: `swarm.crash.${number % 3}`,
      key: `key-${number % 5}`,
      value: textOf(number),
      timestampMs: 1_000 + number,
    })
  }
  return builder.finish()
}
