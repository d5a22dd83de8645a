import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { seededRandom } from '../seeded-random.ts'
import { checkLinearizability } from './check-linearizability.ts'
import { badHistories, goodHistories } from './example-histories.ts'
import type { Operation, OperationValue } from './operation.ts'

for (const { name, operations } of badHistories) {
  test(`checkLinearizability() refuses ${name}`, () => {
    const verdict = checkLinearizability(operations)
    assert.equal(verdict.isLinearizable, false)
    assert.match(verdict.violation!.message, /No order explains/)
  })
}

for (const { name, operations } of goodHistories) {
  test(`checkLinearizability() accepts ${name}`, () => {
    assert.equal(checkLinearizability(operations).isLinearizable, true)
  })
}

test('There are at least twenty examples of each kind', () => {
  assert.ok(badHistories.length >= 20 && goodHistories.length >= 20)
})

/** Every order of every choice of the unknown calls, tried one after the other. */
function bruteForce(history: readonly Operation[]): boolean {
  const calls = history.filter(({ status }) => status !== 'fail')
  const tryFrom = (left: readonly Operation[], held: OperationValue): boolean => {
    if (left.every(({ status }) => status === 'unknown')) return true
    return left.some((call) => {
      const isTooEarly = left.some((other) => other.status === 'ok' && other.returnNs < call.callNs)
      if (isTooEarly) return false
      const next = outcome(call, held)
      return (
        next !== undefined &&
        tryFrom(
          left.filter((other) => other !== call),
          next.held,
        )
      )
    })
  }
  return tryFrom(calls, null)
}

function outcome(call: Operation, held: OperationValue): { readonly held: OperationValue } | undefined {
  if (call.op === 'read') return call.status === 'unknown' || call.result === held ? { held } : undefined
  if (call.op === 'write') return { held: call.value as OperationValue }
  const [expected, next] = call.value as readonly OperationValue[]
  if (call.status === 'ok' && call.result !== (held === expected)) return undefined
  return { held: held === expected ? next! : held }
}

const value = fc.constantFrom<OperationValue>(null, 1, 2, 3)
const tinyOperation: fc.Arbitrary<Operation> = fc
  .record({
    client: fc.constantFrom('a', 'b', 'c'),
    kind: fc.oneof(
      fc.record({ op: fc.constant('read' as const), value: fc.constant(null), result: value }),
      fc.record({ op: fc.constant('write' as const), value, result: fc.constant(null) }),
      fc.record({ op: fc.constant('cas' as const), value: fc.tuple(value, value), result: fc.boolean() }),
    ),
    callNs: fc.nat(20),
    lastsNs: fc.nat(12),
    status: fc.constantFrom('ok', 'ok', 'ok', 'unknown', 'fail') as fc.Arbitrary<Operation['status']>,
  })
  .map(({ client, kind, callNs, lastsNs, status }) => {
    const result = status === 'ok' ? kind.result : null
    return { client, key: 'x', callNs, returnNs: callNs + lastsNs, status, ...kind, result }
  })

test('checkLinearizability() agrees with trying every order, on tiny histories', () => {
  let accepted = 0
  let refused = 0
  fc.assert(
    fc.property(fc.array(tinyOperation, { maxLength: 6 }), (history) => {
      const expected = bruteForce(history)
      if (expected) accepted += 1
      else refused += 1
      assert.equal(checkLinearizability(history).isLinearizable, expected)
    }),
    { numRuns: 4_000, seed: 35 },
  )
  assert.ok(accepted > 500 && refused > 500, `${accepted} accepted, ${refused} refused: the histories are one-sided`)
})

/** A history that one copy made: each call took effect at a random instant within its time. */
function history(size: number, options: { readonly clients: number; readonly keys: number; readonly seed: number }) {
  const random = seededRandom(options.seed)
  const held = new Map<string, OperationValue>()
  const freeAt = Array.from({ length: options.clients }, () => 0)
  const planned = Array.from({ length: size }, (_, index) => {
    const client = index % options.clients
    const callNs = freeAt[client]! + Math.floor(random.float() * 50)
    const returnNs = callNs + 1 + Math.floor(random.float() * 1_000)
    freeAt[client] = returnNs + 1
    return { index, client, callNs, returnNs, atNs: callNs + random.float() * (returnNs - callNs) }
  })
  planned.sort((a, b) => a.atNs - b.atNs)
  return planned.map(({ index, client, callNs, returnNs }): Operation => {
    const key = `k${Math.floor(random.float() * options.keys)}`
    const shared = { client: String(client), key, callNs, returnNs }
    const chance = random.float()
    if (chance < 0.45) {
      return { ...shared, op: 'read', value: null, result: held.get(key) ?? null, status: 'ok' }
    }
    const isLost = random.float() < 0.5
    if (chance < 0.5 && isLost) return { ...shared, op: 'write', value: index, result: null, status: 'unknown' }
    if (chance < 0.9) {
      held.set(key, index)
      return { ...shared, op: 'write', value: index, result: null, status: chance < 0.52 ? 'unknown' : 'ok' }
    }
    const expected = random.float() < 0.7 ? (held.get(key) ?? null) : index
    const isExchanged = expected === (held.get(key) ?? null)
    if (isExchanged) held.set(key, -index)
    return { ...shared, op: 'cas', value: [expected, -index], result: isExchanged, status: 'ok' }
  })
}

for (const shape of [
  { calls: 100_000, clients: 10, keys: 20, seed: 1 },
  { calls: 10_000, clients: 6, keys: 1, seed: 2 },
]) {
  test(`checkLinearizability() decides ${shape.calls} calls of ${shape.clients} clients on ${shape.keys} keys`, () => {
    const good = history(shape.calls, shape)
    assert.equal(checkLinearizability(good).isLinearizable, true)
    const at = good.findIndex(({ op, result }, index) => index > shape.calls * 0.6 && op === 'read' && result !== null)
    const bad = good.with(at, { ...good[at]!, result: -1 })
    assert.equal(checkLinearizability(bad).isLinearizable, false)
  })
}
