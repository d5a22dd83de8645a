import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openBrokerLog, openSequencedLog } from '../../../src/consensus/index.ts'
import { until } from '../../until.ts'
import { contents, SequencedGroup, TOPIC } from './sequenced-group.ts'

const bytes = (text: string) => Buffer.from(text)
const WITHIN = { withinMs: 60_000 }

function wordsOf(found: readonly string[]): string[] {
  return found.map((line) => line.split(' ')[2]!)
}

async function recordsIn(group: SequencedGroup): Promise<number> {
  const { partitions } = await group.bus.admin.describeTopic(TOPIC)
  return partitions[0]!.end.sequence
}

test('What a paused leader writes after a new one leads is passed over by every reader, in the same way, and lost to nobody', async (t) => {
  const group = await SequencedGroup.start(t)
  const old = await group.leader()
  const { term } = await old.propose([bytes('before')])
  const gate = group.gateOf(old)
  gate.close()
  const late = ['late-1', 'late-2', 'late-3'].map((text) => old.propose([bytes(text)]))
  await until(() => gate.held > 0, WITHIN)
  const next = group.logs.find((log) => log !== old)!
  await until(
    () =>
      old.admin.transfer(next.status().id).then(
        () => true,
        () => false,
      ),
    WITHIN,
  )
  await until(() => next.status().state === 'leading', WITHIN)
  // The new leader takes what the old one had not brought into the log, and goes on.
  const receipts = await Promise.all(late)
  assert.ok(receipts.every((receipt) => receipt.term > term))
  await next.propose([bytes('after')])
  const readers = group.logs.filter((log) => log !== old)
  const before = await Promise.all(readers.map(contents))
  const records = await recordsIn(group)
  gate.open()
  await until(async () => gate.held === 0 && (await recordsIn(group)) >= records + late.length, WITHIN)
  await next.propose([bytes('end')])
  const found = await Promise.all(group.logs.map(contents))
  for (const one of found) assert.deepEqual(one, found[0])
  assert.deepEqual(wordsOf(found[0]!), ['before', 'late-1', 'late-2', 'late-3', 'after', 'end'])
  assert.deepEqual(before[0], found[0]!.slice(0, -1))
  assert.equal(await old.append([bytes('x')]).catch((error) => error.code), 'not-leader')
})

test('Any member may propose; the leader orders it, and the next one what it left', async (t) => {
  const group = await SequencedGroup.start(t)
  const leader = await group.leader()
  const others = group.logs.filter((log) => log !== leader)
  await assert.rejects(others[0]!.append([bytes('x')]), { code: 'not-leader', retryable: true })
  const receipt = await others[0]!.propose([bytes('a'), bytes('b')])
  assert.equal(receipt.term, leader.status().term)
  group.gateOf(leader).close()
  const left = others[1]!.propose([bytes('c')])
  await until(() => group.gateOf(leader).held > 0, WITHIN)
  const closing = leader.close()
  group.gateOf(leader).open()
  await closing
  assert.ok((await left).term >= receipt.term)
  assert.deepEqual(wordsOf(await contents(others[0]!)), ['a', 'b', 'c'])
})

test('Whoever proposes at once with others is told where its own commands stand', async (t) => {
  const group = await SequencedGroup.start(t)
  await group.leader()
  const calls = group.logs.flatMap((log, member) =>
    Array.from({ length: 30 }, async (_, at) => {
      const word = `${member}.${at}`
      const { first, term } = await log.propose([bytes(word)])
      return `${first} ${term} ${word}`
    }),
  )
  const told = await Promise.all(calls)
  const found = await contents(group.logs[0]!)
  assert.deepEqual(found.toSorted(), told.toSorted())
  for (const member of [0, 1, 2]) {
    const own = wordsOf(found).filter((word) => word.startsWith(`${member}.`))
    assert.deepEqual(
      own,
      Array.from({ length: 30 }, (_, at) => `${member}.${at}`),
      'in the order of its calls',
    )
  }
})

test('Without a leader a proposal ends as outcome-unknown, and an append as not-leader', async (t) => {
  const group = await SequencedGroup.start(t)
  const leader = await group.leader()
  const [left, ...gone] = [...group.logs.filter((log) => log !== leader), leader] as const
  await Promise.all(gone.map((log) => log.close()))
  await left!.close()
  const alone = await openSequencedLog({
    ...(await group.options(group.logs.indexOf(left!) + 1)),
    outcomeWithinMs: 200,
  })
  t.after(() => alone.close())
  await assert.rejects(alone.append([bytes('x')]), { code: 'not-leader', retryable: true })
  await assert.rejects(alone.propose([bytes('x')]), { code: 'outcome-unknown' })
  assert.equal(alone.status().state, 'electing')
  // The broker is there: what is in the log can be read.
  assert.deepEqual(await contents(alone), [])
})

test('Calls too large for one message, empty ones and oversized commands are refused, and nothing is proposed', async (t) => {
  const group = await SequencedGroup.start(t)
  const leader = await group.leader()
  const large = new Uint8Array(600_000)
  await assert.rejects(leader.append([large, large]), { code: 'message-too-large', message: /several calls/ })
  await assert.rejects(leader.append([new Uint8Array(1_100_000)]), { code: 'message-too-large' })
  await assert.rejects(leader.append([]), { code: 'bad-argument' })
  await leader.propose([bytes('a')])
  assert.deepEqual(wordsOf(await contents(leader)), ['a'])
})

test('What is no proposal in the topic of proposals holds nobody up', async (t) => {
  const group = await SequencedGroup.start(t)
  const leader = await group.leader()
  const writer = group.bus.writer(`${TOPIC}-proposals`)
  await writer.write([{ subject: `${TOPIC}-proposals.call`, key: 'log', value: 'garbage' }])
  await leader.propose([bytes('a')])
  assert.ok(group.logs.some(({ unreadable }) => unreadable === 1))
  assert.deepEqual(wordsOf(await contents(leader)), ['a'])
})

test('A log that another group, or nobody, elected for is not taken over, either way', async (t) => {
  const group = await SequencedGroup.start(t)
  await (await group.leader()).propose([bytes('a')])
  const options = await group.options(1)
  const shared = { ...options, id: 'single', durability: 'none' } as const
  await assert.rejects(openBrokerLog(shared), { code: 'wrong-cluster', message: /openSequencedLog/ })
  const single = await openBrokerLog({ ...shared, topic: 'single' })
  await single.close()
  const elsewhere = { ...options, directory: `${options.directory}-2`, listen: '127.0.0.1:0' }
  await assert.rejects(openSequencedLog({ ...elsewhere, topic: 'single' }), { code: 'wrong-cluster' })
  await assert.rejects(openSequencedLog({ ...elsewhere, cluster: 'another' }), { code: 'wrong-cluster' })
  assert.deepEqual(wordsOf(await contents(group.logs[0]!)), ['a'])
})
