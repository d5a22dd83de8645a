import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkOptions, EachOption } from './check-options.ts'

const KEYS = { group: true, retry: { attemptsMax: true }, named: new EachOption({ rate: true }) } as const

test('checkOptions() names the nearest valid key of a misspelt one, at any depth', () => {
  const cases: ReadonlyArray<readonly [options: unknown, message: RegExp, nearest: string | undefined]> = [
    [{ gruop: 'x' }, /^Cannot do it: unknown option "gruop"; did you mean "group"\?$/, 'group'],
    [{ retry: { atemptsMax: 3 } }, /"retry\.atemptsMax"; did you mean "attemptsMax"/, 'attemptsMax'],
    [{ named: { a: { rate: 1 }, b: { rte: 1 } } }, /"named\.b\.rte"; did you mean "rate"/, 'rate'],
    [{ somethingElse: 1 }, /unknown option "somethingElse"; valid are group, retry, named/, undefined],
    [{ toString: 1 }, /unknown option "toString"/, undefined],
    ['group', /its options are no object/, undefined],
    [['group'], /its options are no object/, undefined],
    [{ retry: 3 }, /its option "retry" is no object/, undefined],
  ]
  for (const [options, message, near] of cases) {
    assert.throws(
      () => checkOptions('do it', options, KEYS),
      (error: Error & { code: string; details: { nearest?: string } }) => {
        assert.equal(error.code, 'bad-argument')
        assert.match(error.message, message)
        assert.equal(error.details.nearest, near)
        return true
      },
    )
  }
})

test('checkOptions() lets through what is known, nothing at all, and keys without a value', () => {
  for (const options of [
    undefined,
    {},
    { group: 'g', retry: { attemptsMax: 3 }, named: { a: { rate: 1 } } },
    { gruop: undefined },
  ]) {
    checkOptions('do it', options, KEYS)
  }
})
