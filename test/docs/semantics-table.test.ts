import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { brokerSemantics } from './broker-semantics.ts'
import { withGeneratedPart } from './generated-part.ts'
import { semanticsTables } from './semantics-table.ts'

test('a table changes with each capability that a driver says otherwise', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'skein-semantics-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  const semantics = await brokerSemantics(directory)
  const table = semanticsTables(semantics)
  const [first, ...others] = semantics.kept
  const { driver: _, messageBytesMax: __, partitions: ___, ...told } = first!.alone
  for (const capability of Object.keys(told) as Array<keyof typeof told>) {
    const other = capability === 'durability' ? 'quorum-durable' : told[capability] === 'emulated' ? 'none' : 'emulated'
    const changed = capability === 'totalOrder' ? !told.totalOrder : other
    const alone = { ...first!.alone, [capability]: changed }
    const changedTable = semanticsTables({ ...semantics, kept: [{ ...first!, alone }, ...others] })
    assert.notEqual(changedTable, table, capability)
  }
})

test('a page without a generated part is an error, not a page without a table', () => {
  assert.throws(() => withGeneratedPart('# A page', 'x'), /has no part between/)
})
