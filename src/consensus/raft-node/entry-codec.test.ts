import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Entry } from '../../raft/index.ts'
import { ENTRY_HEADER_BYTES, encodeEntries, readEntries, writeEntryHeader } from './entry-codec.ts'

const bare = fc.record({
  term: fc.integer({ min: 1, max: 3 }),
  kind: fc.constantFrom<Entry['kind']>('command', 'config', 'empty'),
  data: fc.uint8Array({ maxLength: 3_000 }),
})

function numbered(entries: ReadonlyArray<Omit<Entry, 'index'>>): Entry[] {
  return entries.map((entry, at) => ({ ...entry, index: at + 1 }))
}

function read(parts: readonly Uint8Array[], count: number): Entry[] {
  return readEntries(Buffer.concat(parts), { from: 0, first: 1, count })
}

/** Commands in one piece of memory, as a leader prepares them. */
function proposed(commands: readonly Uint8Array[], term: number): Entry[] {
  const slab = Buffer.allocUnsafeSlow(commands.reduce((sum, { length }) => sum + ENTRY_HEADER_BYTES + length, 0))
  const view = new DataView(slab.buffer)
  let at = 0
  const entries = commands.map((command) => {
    const { length } = command
    writeEntryHeader(view, at, { length, kind: 'command', term })
    slab.set(command, at + ENTRY_HEADER_BYTES)
    at += ENTRY_HEADER_BYTES + length
    return { term, kind: 'command' as const, data: new Uint8Array(slab.buffer, at - length, length) }
  })
  return numbered(entries)
}

test('Entries are read as they were written, wherever their bytes lie', () => {
  const mixed = fc.record({ entries: fc.array(bare, { maxLength: 12 }), dropped: fc.nat(12), swapped: fc.boolean() })
  fc.assert(
    fc.property(mixed, ({ entries, dropped, swapped }) => {
      const whole = numbered(entries)
      const once = read(encodeEntries(whole), whole.length)
      assert.deepEqual(once, whole)
      // From the memory of what was read: some of it, in its order or in another.
      const kept = once.filter((_, at) => at !== dropped)
      const again = numbered(swapped ? kept.reverse() : kept)
      assert.deepEqual(read(encodeEntries(again), again.length), again)
    }),
  )
})

test('An entry that does not say what stands before its bytes is written anew', () => {
  const entries = proposed(
    Array.from({ length: 100 }, () => Buffer.alloc(256)),
    3,
  )
  // Proposed by a leader that was not yet told of its term: what was prepared does not fit.
  const later = entries.map((entry) => ({ ...entry, term: 4 }))
  assert.deepEqual(read(encodeEntries(later), later.length), later)
  const other = entries.map((entry, at) => (at === 50 ? { ...entry, kind: 'config' as const } : entry))
  assert.deepEqual(read(encodeEntries(other), other.length), other)
})

test('What was proposed together, and what was received, is sent and stored without a copy', () => {
  const entries = proposed(
    Array.from({ length: 100 }, (_, at) => Buffer.alloc(256, at)),
    3,
  )
  const parts = encodeEntries(entries)
  assert.equal(parts.length, 1)
  assert.equal(parts[0]!.buffer, entries[0]!.data.buffer)
  const received = readEntries(Buffer.concat(parts), { from: 0, first: 1, count: 100 })
  assert.deepEqual(
    encodeEntries(received),
    parts.map((part) => new Uint8Array(part)),
  )
  assert.equal(encodeEntries(received)[0]!.buffer, received[0]!.data.buffer)
})
