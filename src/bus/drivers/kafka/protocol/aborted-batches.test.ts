import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AbortedBatches, type AbortedTransaction } from './aborted-batches.ts'

/** `7d`: data of producer 7; `7a`, `7c`: its abort and commit marker; `7p`: data outside transactions. */
function given(transactions: readonly AbortedTransaction[], batches: readonly string[]): string[] {
  const aborted = new AbortedBatches(transactions)
  return batches.filter((batch, offset) => {
    const kind = batch.at(-1)
    const isControl = kind === 'a' || kind === 'c'
    const isAborted = aborted.isAborted({
      producerId: BigInt(batch.slice(0, -1)),
      lastOffset: offset,
      isTransactional: kind !== 'p',
      isControl,
      isAbort: kind === 'a',
    })
    return !isControl && !isAborted
  })
}

test('nothing is dropped where nothing was aborted', () => {
  assert.deepEqual(given([], ['7d', '7c', '8p']), ['7d', '8p'])
})

test('two aborted transactions of one producer are both dropped, and the committed one between them is kept', () => {
  const transactions = [
    { producerId: 7n, firstOffset: 0 },
    { producerId: 7n, firstOffset: 4 },
  ]
  assert.deepEqual(given(transactions, ['7d', '7a', '7d', '7c', '7d', '7a', '7p']), ['7d', '7p'])
})

test('without its marker in this fetch everything from the first offset on is aborted', () => {
  assert.deepEqual(given([{ producerId: 7n, firstOffset: 1 }], ['8d', '7d', '8d', '7d', '8c']), ['8d', '8d'])
})

test('transactions that the broker names out of order are entered in order', () => {
  const transactions = [
    { producerId: 8n, firstOffset: 2 },
    { producerId: 7n, firstOffset: 0 },
  ]
  assert.deepEqual(given(transactions, ['7d', '7a', '8d', '8a', '7d', '8d']), ['7d', '8d'])
})
