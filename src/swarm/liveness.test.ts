import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { DEFAULT_LIVENESS_POLICY, LivenessTable } from './liveness.ts'

const TICK_MS = 250

/** Ticks from one time to another and gives the time of each transition. */
function tickThrough(table: LivenessTable, fromMs: number, toMs: number): string[] {
  const seen: string[] = []
  for (let nowMs = fromMs + TICK_MS; nowMs <= toMs; nowMs += TICK_MS) {
    for (const { agentId, from, to, reason } of table.tick(nowMs)) {
      seen.push(`${nowMs} ${agentId} ${from} → ${to}: ${reason}`)
    }
  }
  return seen
}

function tableWith(agentId: string): LivenessTable {
  const table = new LivenessTable(DEFAULT_LIVENESS_POLICY)
  table.joined(agentId, 0)
  table.tick(0)
  return table
}

describe('LivenessTable', () => {
  it('makes a silent agent suspect after three missed pulses and lost after ten, each once', () => {
    const table = tableWith('a')
    assert.deepEqual(tickThrough(table, 0, 30_000), [
      '3000 a alive → suspect: pulses-missed',
      '10000 a suspect → lost: pulses-missed',
    ])
  })

  it('keeps an agent alive that misses two pulses and is heard again', () => {
    const table = tableWith('a')
    for (let nowMs = 0; nowMs < 30_000; nowMs += 2_900) {
      assert.equal(table.heard('a', nowMs), undefined)
      assert.deepEqual(tickThrough(table, nowMs, nowMs + 2_900), [])
    }
  })

  it('a closed connection makes it suspect at once, and a pulse brings it back', () => {
    const table = tableWith('a')
    assert.deepEqual(table.connectionClosed('a'), {
      agentId: 'a',
      from: 'alive',
      to: 'suspect',
      reason: 'connection-closed',
    })
    assert.equal(table.connectionClosed('a'), undefined)
    assert.equal(table.heard('a', 500)?.to, 'alive')
    assert.equal(table.livenessOf('a'), 'alive')
  })

  it('brings a lost agent back when it pulses', () => {
    const table = tableWith('a')
    tickThrough(table, 0, 12_000)
    assert.deepEqual(table.heard('a', 12_100), { agentId: 'a', from: 'lost', to: 'alive', reason: 'pulse' })
  })

  it('gives restored agents a grace before silence counts', () => {
    const table = new LivenessTable(DEFAULT_LIVENESS_POLICY)
    table.restored('a', 'alive', 0)
    table.restored('b', 'suspect', 0)
    table.restored('c', 'lost', 0)
    table.tick(0)
    assert.deepEqual(tickThrough(table, 0, 20_000), [
      '8000 a alive → suspect: pulses-missed',
      '15000 a suspect → lost: pulses-missed',
      '15000 b suspect → lost: pulses-missed',
    ])
  })

  it('does not hold against agents the time in which the decider itself was paused', () => {
    const table = tableWith('a')
    tickThrough(table, 0, 1_000)
    table.heard('a', 1_000)
    assert.deepEqual(table.tick(61_000), [])
    assert.deepEqual(tickThrough(table, 61_000, 68_750), [])
    assert.deepEqual(tickThrough(table, 68_750, 69_000), ['69000 a alive → suspect: pulses-missed'])
  })

  it('forgets one that left', () => {
    const table = tableWith('a')
    table.left('a')
    assert.equal(table.heard('a', 100), undefined)
    assert.deepEqual(tickThrough(table, 0, 20_000), [])
    assert.equal(table.size, 0)
  })

  it('under any schedule of pulses: never lost before ten silent pulses, never alive after three', () => {
    const gaps = fc.array(fc.integer({ min: 50, max: 15_000 }), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(gaps, (pulseGapsMs) => {
        const table = tableWith('a')
        let nowMs = 0
        let heardAtMs = 0
        for (const gapMs of pulseGapsMs) {
          for (const endMs = nowMs + gapMs; nowMs < endMs; ) {
            nowMs = Math.min(nowMs + TICK_MS, endMs)
            table.tick(nowMs)
            const silentMs = nowMs - heardAtMs
            const liveness = table.livenessOf('a')
            assert.equal(liveness, silentMs >= 10_000 ? 'lost' : silentMs >= 3_000 ? 'suspect' : 'alive')
          }
          table.heard('a', nowMs)
          heardAtMs = nowMs
        }
      }),
      { numRuns: 200 },
    )
  })
})
