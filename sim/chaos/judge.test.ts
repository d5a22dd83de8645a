import assert from 'node:assert/strict'
import { test } from 'node:test'
import { badHistories, type Operation } from '../../testing/index.ts'
import { judge } from './judge.ts'

function write(number: number, atNs: number): Operation {
  const shared = { client: 'a', op: 'write', key: 'x', result: null, status: 'ok' } as const
  return { ...shared, value: `a-${number}`, callNs: atNs, returnNs: atNs + 5 }
}

const AUDIT = { digest: '', timeWentBack: 0 }

test('A command that was acknowledged and that one member does not have is lost', () => {
  const history = [write(1, 0), write(2, 10), write(4, 20)]
  const whole = { ...AUDIT, ranges: { a: [1, 2, 4, 4] } }
  assert.equal(judge(history, [whole, whole]).lost, 0)
  const { lost, problems } = judge(history, [whole, { ...AUDIT, ranges: { a: [1, 1, 4, 9] } }])
  assert.equal(lost, 1)
  assert.match(problems[0]!, /a-2/)
})

test('Every history that must be refused is', () => {
  for (const { name, operations } of badHistories) assert.equal(judge(operations, []).isLinearizable, false, name)
})
