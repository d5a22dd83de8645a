import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AgentRecord, Roster } from '../ports.ts'
import { resolveTarget } from './resolve-target.ts'

const AGENTS = ['drone-7', 'drone-8', 'rover-1'].map((id) => ({ id }) as AgentRecord)

const roster: Pick<Roster, 'ready' | 'get' | 'select'> = {
  ready: () => Promise.resolve(),
  get: (id) => AGENTS.find((agent) => agent.id === id),
  select: () => AGENTS,
}

test('An agent that never joined is named, with the nearest that did', async () => {
  await assert.rejects(resolveTarget(roster as Roster, 'dorne-7'), {
    code: 'unknown-agent',
    message: /"dorne-7": no such agent has ever joined; did you mean "drone-7"\?/,
    details: { agents: ['dorne-7'], nearest: 'drone-7' },
  })
  await assert.rejects(resolveTarget(roster as Roster, ['rover-1', 'submarine']), {
    message: /"submarine": no such agent has ever joined$/,
    details: { agents: ['submarine'] },
  })
})
