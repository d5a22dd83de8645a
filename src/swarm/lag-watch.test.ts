import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DEFAULT_LAG_POLICY, LagWatch } from './lag-watch.ts'

function kindsOf(watch: LagWatch, seconds: number | undefined, nowMs: number): string[] {
  const lags = seconds === undefined ? [] : [{ topic: 't', group: 'map', seconds, messages: 10 }]
  return watch.measured(lags, nowMs).map((sign) => sign.kind)
}

describe('LagWatch', () => {
  it('says lagging once above the limit and recovered once below the lower one', () => {
    const watch = new LagWatch(DEFAULT_LAG_POLICY)
    assert.deepEqual(kindsOf(watch, 4.9, 0), [])
    assert.deepEqual(kindsOf(watch, 5.1, 1_000), ['lagging'])
    assert.deepEqual(kindsOf(watch, 9, 2_000), [])
    assert.deepEqual(kindsOf(watch, 3, 3_000), [])
    assert.deepEqual(kindsOf(watch, 6, 4_000), [])
    assert.deepEqual(kindsOf(watch, 0.5, 5_000), ['recovered'])
    assert.deepEqual(kindsOf(watch, 5.5, 6_000), ['lagging'])
  })

  it('says stuck once when the lag lasts, and again only in the next episode', () => {
    const watch = new LagWatch(DEFAULT_LAG_POLICY)
    kindsOf(watch, 6, 0)
    assert.deepEqual(kindsOf(watch, 30, 29_999), [])
    assert.deepEqual(kindsOf(watch, 31, 30_000), ['stuck'])
    assert.deepEqual(kindsOf(watch, 61, 60_000), [])
    assert.deepEqual(kindsOf(watch, 0, 61_000), ['recovered'])
    assert.deepEqual(kindsOf(watch, 6, 62_000), ['lagging'])
  })

  it('takes a group that is gone as recovered', () => {
    const watch = new LagWatch(DEFAULT_LAG_POLICY)
    kindsOf(watch, 6, 0)
    assert.deepEqual(kindsOf(watch, undefined, 1_000), ['recovered'])
    assert.deepEqual(kindsOf(watch, undefined, 2_000), [])
  })
})
