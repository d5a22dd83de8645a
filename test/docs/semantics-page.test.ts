import assert from 'node:assert/strict'
import { test } from 'node:test'
import { semanticsPage } from './semantics-page.ts'

test('docs/reference/brokers.md says of each broker what its driver says: if not, npm run -s docs writes it anew', async () => {
  const { is, hasToBe } = await semanticsPage()
  assert.equal(is, hasToBe)
})
