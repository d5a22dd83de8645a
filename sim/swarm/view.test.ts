import assert from 'node:assert/strict'
import { test } from 'node:test'
import { renderLine, renderView, type ViewState } from './view.ts'

const STATE: ViewState = {
  url: 'skein://127.0.0.1:7600',
  elapsedSeconds: 12.4,
  agents: [
    { id: 'drone-1', type: 'quadrotor', region: 'north', epoch: 3, liveness: 'alive' },
    { id: 'scout-1', type: 'scout', region: 'south', epoch: 9, liveness: 'suspect' },
  ],
  rates: new Map([['swarm.telemetry', 180.4]]),
  lags: [{ group: 'archive', messages: 240, seconds: 3.25 }],
  outcomes: new Map([['done', 40]]),
  news: ['scout-1 suspect'],
}

test('The view shows agents, rates, lag, outcomes and news', () => {
  const text = renderView(STATE, 120)
  for (const expected of [
    /● drone-1 +quadrotor +north +epoch 3 +alive/,
    /◐ scout-1/,
    /swarm\.telemetry 180\/s/,
    /archive 240 behind, 3\.3 s/,
    /40 done/,
    /scout-1 suspect$/,
  ]) {
    assert.match(text, expected)
  }
})

test('No line of the view is wider than the terminal', () => {
  assert.ok(
    renderView(STATE, 30)
      .split('\n')
      .every((line) => line.length <= 30),
  )
})

test('Without a screen the state is one line', () => {
  assert.equal(renderLine(STATE), '12 s: 1 of 2 agents alive, 180 reports/s, commands: 40 done')
})
