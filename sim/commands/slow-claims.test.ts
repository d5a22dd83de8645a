import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import Type from 'typebox'
import { command, type InboxStore, type Outcome, type Overlap } from '../../src/channel/index.ts'
import { ClosedError } from '../../src/core/index.ts'
import { CommandWorld } from './command-world.ts'

const OVERLAPS: readonly Overlap[] = ['queue', 'replace', 'parallel']
const START_WITHIN_MS = 1_000

/** An agent whose inbox takes as long as `afterClaim` says, and what its handler ran. */
async function slowAgent(t: TestContext, overlap: Overlap) {
  const world = await CommandWorld.open()
  t.after(() => world.close())
  const Go = command('swarm.commands.{agentId}.go', {
    schema: Type.Object({}),
    startWithinMs: START_WITHIN_MS,
    overlap,
  })
  const slow = { afterClaim: async () => {} }
  const session = await world.agent('drone-7').join({
    wrapInbox: (inbox: InboxStore): InboxStore => ({
      claim: async (request, options) => {
        const result = await inbox.claim(request, options)
        await slow.afterClaim()
        return result
      },
      settle: (request, options) => inbox.settle(request, options),
      reported: (identity) => inbox.reported(identity),
      recover: (recovering, options) => inbox.recover(recovering, options),
      close: () => inbox.close(),
    }),
  })
  const ran: string[] = []
  session.receiver.handle(Go, ({ intentId }) => {
    ran.push(intentId)
  })
  const sender = await world.sender('tower')
  const send = async (intentId: string) => short(await world.run(sender.send(Go, 'drone-7', {}, { intentId })))
  return { world, session, slow, ran, send }
}

function short(outcome: Outcome<unknown>): string {
  return outcome.state === 'done' ? 'done' : `${outcome.state}: ${outcome.reason}`
}

describe('a claim that takes long', () => {
  for (const overlap of OVERLAPS) {
    it(`past the deadline keeps a command with overlap "${overlap}" from running`, async (t) => {
      const { world, slow, ran, send } = await slowAgent(t, overlap)
      slow.afterClaim = () => world.clock.sleep(START_WITHIN_MS + 500)
      assert.equal(await send('late'), 'expired: deadline')
      slow.afterClaim = async () => {}
      assert.equal(await send('in time'), 'done')
      assert.deepEqual(ran, ['in time'])
    })

    it(`keeps a command with overlap "${overlap}" from running when the lease is over and cannot be renewed`, async (t) => {
      const { world, session, slow, ran, send } = await slowAgent(t, overlap)
      const { lease } = session
      const renew = lease.renew.bind(lease)
      // The agent is on its way out: its lease is given up, and its commands are not yet.
      slow.afterClaim = async () => {
        lease.lose()
        lease.renew = () => Promise.reject(new ClosedError('agent "drone-7"'))
      }
      assert.equal(await send('without a lease'), 'failed: closed')
      slow.afterClaim = async () => {}
      lease.renew = renew
      assert.equal(await send('with one'), 'done')
      assert.deepEqual(ran, ['with one'])
      assert.deepEqual(
        world.errors.map((error) => (error as { code?: string }).code),
        ['closed'],
      )
    })
  }
})
