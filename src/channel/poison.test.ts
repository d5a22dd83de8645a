/** What handlers throw is anybody's: of any size, and not always an error. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import Type from 'typebox'
import { channelsInMemory } from '../../test/channels-in-memory.ts'
import { until } from '../../test/until.ts'
import { event } from './event.ts'

const Found = event('finds.{agentId}', { schema: Type.Object({ n: Type.Integer() }), key: 'agentId' })
const agent = { id: 'rover-1', type: 'rover', region: 'north', epoch: 1 }
const retry = { attemptsMax: 2, delayMs: 1, delayMsMax: 5 }

const NO_MESSAGE = Object.setPrototypeOf(
  {
    get message(): string {
      throw new Error('not even that')
    },
  },
  Error.prototype,
)

const THROWN: ReadonlyArray<readonly [string, unknown, RegExp]> = [
  ['an error of 1 MiB', new Error('x'.repeat(1024 * 1024)), /^Error: x{1900,}.*cut, 1048583 characters/],
  ['what cannot be printed', Object.create(null), /cannot be printed/],
  ['an error whose message throws', NO_MESSAGE, /cannot be printed/],
  ['an error whose message is an object', Object.assign(new Error(), { message: Object.create(null) }), /cannot be/],
  ['nothing', undefined, /^undefined$/],
  ['a symbol', Symbol('odd'), /Symbol\(odd\)/],
]

for (const [what, thrown, told] of THROWN) {
  for (const how of ['throws', 'rejects'] as const) {
    test(`an event whose handler ${how} with ${what} is dead-lettered, and its key goes on`, async (t) => {
      const { channels, errors } = await channelsInMemory(t)
      await channels.open([Found])
      const rover = channels.as(agent)
      await rover.append(Found, { n: 1 })
      await rover.append(Found, { n: 2 })
      const seen: string[] = []
      const processing = await channels.process(Found, { group: 'g', retry }, (message) => {
        seen.push(`${message.value.n}@${message.attempt}`)
        if (message.value.n !== 1) return undefined
        if (how === 'rejects') return Promise.reject(thrown)
        throw thrown
      })
      await until(() => seen.includes('2@1'))
      await processing.stop()
      assert.deepEqual(seen, ['1@1', '1@2', '2@1'])
      assert.deepEqual(errors, [])
      const [letter, ...others] = await channels.deadLetters(Found)
      assert.equal(others.length, 0)
      assert.match(letter!.origin.error, told)
      assert.equal(letter!.text(), '{"n":1}')
    })
  }
}

test('in a loop, a reason of any length is kept with the dead letter, cut', async (t) => {
  const { channels } = await channelsInMemory(t)
  await channels.open([Found])
  await channels.as(agent).append(Found, { n: 1 })
  for await (const batch of await channels.consume(Found, { group: 'g' })) {
    for (const message of batch) batch.dead(message, { error: 'é'.repeat(200_000) })
    break
  }
  const [letter] = await channels.deadLetters(Found)
  assert.match(letter!.origin.error, /^é{1900,}.*cut, 200000 characters/)
})
