import assert from 'node:assert/strict'
import { it } from 'node:test'
import { playRound } from '../commands/play-round.ts'
import { run, shortfalls } from './commands.ts'

it('commands take effect once, in time, or say what is not known, while agents are killed (small run)', async () => {
  const report = await run({ rounds: 10, seed: 7, progress: () => {} })
  assert.deepEqual(shortfalls(report), [])
})

it('the same seed plays the same round', async () => {
  const [one, other] = [await playRound({ seed: 3, commands: 40 }), await playRound({ seed: 3, commands: 40 })]
  assert.deepEqual(one, other)
})
