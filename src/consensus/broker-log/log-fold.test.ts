import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LogFold } from './log-fold.ts'
import { decodeRecord, encodeRecord, type LogRecord } from './record-codec.ts'

const encoder = new TextEncoder()

function record(given: Partial<LogRecord> & Pick<LogRecord, 'kind'>): LogRecord {
  return { epoch: 1, timeMs: 5, call: 1, ordinal: 0, count: 1, data: new Uint8Array(10), ...given }
}

function claim(epoch: number, id: string, cluster?: string): LogRecord {
  const data = encoder.encode(JSON.stringify({ id, nonce: `${id}${epoch}`, cluster }))
  return record({ kind: 'claim', epoch, data })
}

/** Commands of one call. */
function call(number: number, count: number, epoch = 1): LogRecord[] {
  return Array.from({ length: count }, (_, ordinal) => record({ kind: 'command', epoch, call: number, ordinal, count }))
}

/** A proposal of one command or more, as its leader has ordered it. */
function sequenced(at: number, previous: number, { epoch = 1, count = 1 } = {}): LogRecord[] {
  const origin = { proposer: 'ab'.repeat(12), number: at, previous }
  return call(at, count, epoch).map((one) => ({ ...one, kind: 'sequenced', origin }))
}

function compaction(through: number, index: number): LogRecord {
  const snapshot = { index, timeMs: 5, name: `s${index}`, bytes: 1, checksum: 'c' }
  return record({ kind: 'compaction', data: encoder.encode(JSON.stringify({ through, snapshot })) })
}

/** At places that are not next to each other, as those of a broker. Returns the places that count. */
function fold(records: readonly LogRecord[]): { readonly fold: LogFold; readonly commands: number[] } {
  const folded = new LogFold()
  for (const [at, one] of records.entries()) folded.take(placeOf(at), one)
  const places = records
    .map((one, at) => ({ one, place: placeOf(at) }))
    .filter(({ place }) => place <= folded.committed)
  const commands = places.flatMap(({ one, place }) => (folded.isCommand(place, one) ? [place] : []))
  return { fold: folded, commands }
}

const placeOf = (at: number) => 10 * (at + 1)

test('Commands count behind the claim of their epoch, at the places that the broker gave them', () => {
  const { fold: folded, commands } = fold([claim(1, 'a'), ...call(1, 2), record({ kind: 'barrier' }), ...call(2, 1)])
  assert.deepEqual(commands, [20, 30, 50])
  assert.deepEqual([folded.committed, folded.epoch, folded.leader?.id], [50, 1, 'a'])
})

test('What an older writer appends behind a newer claim is passed over, by whoever begins to read where', () => {
  const { fold: folded, commands } = fold([
    claim(1, 'a'),
    ...call(1, 1),
    claim(2, 'b'),
    ...call(2, 1),
    ...call(1, 1, 2),
  ])
  assert.deepEqual(commands, [20, 50])
  assert.deepEqual([folded.epoch, folded.leader?.id], [2, 'b'])
})

test('Of two claims of one epoch the first is in force', () => {
  const { fold: folded } = fold([claim(1, 'a'), claim(1, 'b')])
  assert.equal(folded.leader?.id, 'a')
})

test('A topic belongs to the group of its first claim: those of others, later ones too, have no effect', () => {
  for (const [own, foreign] of [
    ['north', 'south'],
    ['north', undefined],
    [undefined, 'north'],
  ] as const) {
    const records = [claim(1, 'a', own), claim(7, 'x', foreign), ...call(1, 1), claim(2, 'b', own), ...call(1, 1, 2)]
    const { fold: folded, commands } = fold(records)
    assert.deepEqual([folded.leader?.id, folded.epoch, commands], ['b', 2, [30, 50]])
  }
})

test('A call that was never finished is not in the log, and holds back what may be read until that is certain', () => {
  const begun = [claim(1, 'a'), ...call(1, 1), ...call(2, 3).slice(0, 2)]
  assert.equal(fold(begun).fold.committed, 29)
  const { fold: folded, commands } = fold([...begun, claim(2, 'b'), ...call(1, 1, 2)])
  assert.deepEqual([commands, folded.committed], [[20, 60], 60])
  assert.deepEqual(fold([...begun, ...call(3, 1)]).commands, [20, 50])
})

test('Commands of a call that come out of its order, or again, do not count', () => {
  const [first, second, third] = call(2, 3)
  assert.deepEqual(fold([claim(1, 'a'), first!, third!, second!]).commands, [])
  assert.deepEqual(fold([claim(1, 'a'), ...call(2, 1), ...call(1, 1), ...call(2, 1)]).commands, [20])
})

test('Of sequenced proposals none counts twice or is left out, whoever ordered it and whatever came late', () => {
  const { fold: folded, commands } = fold([
    ...[claim(1, 'a'), ...sequenced(1, 0), ...sequenced(3, 1, { count: 2 })],
    // Again, and one whose predecessor never came.
    ...[...sequenced(3, 1), ...sequenced(9, 7)],
    // The next leader goes on where the log ends; what the old one writes now is passed over.
    ...[
      claim(2, 'b'),
      ...sequenced(5, 3),
      ...sequenced(5, 3, { epoch: 2 }),
      ...sequenced(6, 5),
      ...sequenced(8, 5, { epoch: 2 }),
    ],
  ])
  assert.deepEqual([commands, folded.sequenced], [[20, 30, 40, 90, 110], 8])
})

test('A sequenced proposal that came in part and is sent again counts once, whole', () => {
  const [first, second] = sequenced(1, 0, { count: 2 })
  const { fold: folded, commands } = fold([claim(1, 'a'), first!, first!, second!, second!, ...sequenced(2, 1)])
  assert.deepEqual([commands, folded.sequenced], [[30, 40, 60], 2])
})

test('A compaction lets go through its index; an older one, and one beyond what is committed, has no effect', () => {
  const records = [claim(1, 'a'), ...call(1, 3), compaction(30, 40), compaction(20, 30), compaction(99, 990)]
  const { fold: folded } = fold(records)
  assert.deepEqual([folded.compacted, folded.compaction?.snapshot.index], [30, 40])
  assert.ok(folded.isCommand(40, call(1, 1)[0]!))
})

test('Log time is the greatest that was appended', () => {
  const late = { ...call(1, 1)[0]!, timeMs: 9 }
  assert.equal(fold([claim(1, 'a'), late, ...call(2, 1)]).fold.timeMs, 9)
})

test('A record comes back as it was encoded; another version, kind or length is refused', () => {
  for (const one of [
    claim(3, 'a'),
    ...call(7, 2),
    ...sequenced(5, 4),
    compaction(1, 2),
    record({ kind: 'barrier', timeMs: 1.7e12 }),
  ]) {
    assert.deepEqual(decodeRecord(encodeRecord(one)), one)
  }
  const bytes = encodeRecord(claim(3, 'a'))
  assert.throws(() => decodeRecord(bytes.subarray(0, 20)), { code: 'corrupt' })
  assert.throws(() => decodeRecord(bytes.with(1, 9)), { code: 'corrupt' })
  assert.throws(() => decodeRecord(bytes.with(0, 2)), { code: 'future-version' })
  assert.throws(() => decodeRecord(encodeRecord(sequenced(1, 0)[0]!).subarray(0, 60)), { code: 'corrupt' })
})
