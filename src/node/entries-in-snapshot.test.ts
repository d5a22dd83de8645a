import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LogEntry } from '../consensus/index.ts'
import { decodeEntries, encodeEntries } from './entries-in-snapshot.ts'

const ENTRIES: readonly LogEntry[] = [0, 1, 300].map((bytes, at) => ({
  index: 3 + 2 * at,
  term: 1 + at,
  timeMs: 1.7e12 + at,
  data: new Uint8Array(bytes).fill(at),
}))

async function* inBatches(entries: readonly LogEntry[]): AsyncGenerator<readonly LogEntry[]> {
  for (const entry of entries) yield [entry]
}

async function stateOf(entries: readonly LogEntry[]): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(encodeEntries(inBatches(entries))))
}

async function* cut(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

test('Commands come out of a snapshot as they went in, however it is cut', async () => {
  const state = await stateOf(ENTRIES)
  for (const size of [1, 4, 5, 29, 64, state.length]) {
    assert.deepEqual(await Array.fromAsync(decodeEntries(cut(state, size))), ENTRIES, `pieces of ${size}`)
  }
  assert.deepEqual(await Array.fromAsync(decodeEntries(cut(await stateOf([]), 3))), [])
})

test('What is cut short, something else, or of a later version is refused', async () => {
  const state = await stateOf(ENTRIES)
  const read = (bytes: Uint8Array) => Array.fromAsync(decodeEntries(cut(bytes, 50)))
  for (const length of [0, 4, 20, state.length - 1]) {
    await assert.rejects(read(state.subarray(0, length)), { code: 'corrupt' }, `${length} bytes`)
  }
  await assert.rejects(read(Buffer.from('something else')), { code: 'corrupt' })
  await assert.rejects(read(Uint8Array.from(state).with(4, 2)), { code: 'future-version' })
})
