import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { matchesFilter } from '../../core/index.ts'
import { SubjectIndex } from './subject-index.ts'

const level = fc.constantFrom('a', 'b', 'c')
const subject = fc.array(level, { minLength: 1, maxLength: 4 }).map((levels) => levels.join('.'))
const filter = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('*')), { minLength: 1, maxLength: 3 }), fc.boolean())
  .map(([levels, isOpen]) => [...levels, ...(isOpen ? ['>'] : [])].join('.'))

test('a subject finds exactly the filters that match it, also after some were removed', () => {
  fc.assert(
    fc.property(fc.uniqueArray(filter, { maxLength: 12 }), subject, fc.nat(11), (filters, given, removed) => {
      const index = new SubjectIndex<string>()
      for (const one of filters) index.add(one, one)
      if (filters[removed] !== undefined) index.remove(filters[removed], filters[removed])
      const left = filters.filter((_, place) => place !== removed)
      const found: string[] = []
      index.match(given, (one) => found.push(one))
      assert.deepEqual(found.sort(), left.filter((one) => matchesFilter(one, given)).sort())
      assert.equal(index.size, left.length)
    }),
  )
})
