import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checkAgentId, checkDescription } from './agent-description.ts'

const GOOD = { id: 'drone-7', type: 'quadrotor', region: 'north' }

describe('checkAgentId()', () => {
  it('takes one level of at most 256 bytes', () => {
    checkAgentId('drone-7')
    checkAgentId('d'.repeat(256))
    checkAgentId('Дрон7')
  })

  it('refuses what is empty, longer, no text, more than a level, or has reserved characters', () => {
    const bad = ['', 'd'.repeat(257), 'Д'.repeat(129), 'a.b', 'a b', '*', '>', '{id}', 'a\n', 7, undefined, null]
    for (const id of bad) assert.throws(() => checkAgentId(id), { code: 'bad-argument' }, String(id))
  })
})

describe('checkDescription()', () => {
  it('names the field that is wrong', () => {
    checkDescription({ ...GOOD, labels: { team: 'red' }, capabilities: ['lidar'] })
    assert.throws(() => checkDescription({ ...GOOD, type: '' }), /agent type/)
    assert.throws(() => checkDescription({ ...GOOD, region: 'a.b' }), /region/)
    assert.throws(() => checkDescription({ ...GOOD, labels: { team: 7 as unknown as string } }), /label "team"/)
    const many = Array.from({ length: 65 }, (_, index) => `c${index}`)
    assert.throws(() => checkDescription({ ...GOOD, capabilities: many }), /capabilities/)
    assert.throws(() => checkDescription({ ...GOOD, capabilities: 'lidar' as unknown as string[] }), /capabilities/)
  })
})
