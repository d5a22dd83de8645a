import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import Type from 'typebox'
import { CommandRejected, command, type InboxStore, type Outcome, type Overlap } from '../../src/channel/index.ts'
import { CommandWorld, type CommandWorldOptions, type SimulatedAgent } from './command-world.ts'
import { repeatingBus } from './repeating-bus.ts'

const Value = Type.Object({ ms: Type.Number() })
const Reply = Type.Object({ ran: Type.Number() })

function declare(
  name: string,
  overlap: Overlap,
  options: { startWithinMs?: number; completeWithinMs?: number; idempotent?: boolean } = {},
) {
  return command(`swarm.commands.{agentId}.${name}`, {
    schema: Value,
    reply: Reply,
    startWithinMs: 1_000,
    overlap,
    ...options,
  })
}

const Move = declare('move-to', 'queue', { completeWithinMs: 60_000 })
const Land = declare('land', 'replace', { completeWithinMs: 60_000 })
const Photo = declare('photo', 'parallel', { completeWithinMs: 60_000 })
const Beep = declare('beep', 'queue', { idempotent: true, startWithinMs: 10_000, completeWithinMs: 60_000 })

async function openWorld(t: TestContext, options: CommandWorldOptions = {}): Promise<CommandWorld> {
  const world = await CommandWorld.open(options)
  t.after(() => world.close())
  return world
}

/** Starts a session whose handlers take as long as the command says and note what they did. */
async function start(world: CommandWorld, agent: SimulatedAgent, options = {}) {
  const session = await agent.join(options)
  const started: string[] = []
  const effects: string[] = []
  const again: boolean[] = []
  for (const declared of [Move, Land, Photo, Beep]) {
    session.receiver.handle(declared, async (given, { signal }) => {
      started.push(given.intentId)
      again.push(given.again)
      await world.clock.sleep(given.value.ms, { signal })
      if (!session.isAlive()) return new Promise<never>(() => {})
      effects.push(given.intentId)
      return { ran: given.value.ms }
    })
  }
  await world.clock.settle()
  return { session, started, effects, again }
}

function short(outcome: Outcome<unknown>): string {
  return outcome.state === 'done' ? 'done' : `${outcome.state}: ${outcome.reason}`
}

describe('commands', () => {
  it('take effect and come back with their reply', async (t) => {
    const world = await openWorld(t)
    const sender = await world.sender('tower')
    const { effects } = await start(world, world.agent('drone-7'))
    const outcome = await world.run(sender.send(Move, 'drone-7', { ms: 20 }))
    assert.equal(outcome.state === 'done' && outcome.reply.ran, 20)
    assert.deepEqual(effects, [outcome.intentId])
    assert.deepEqual(world.errors, [])
  })

  it('take effect once when each is delivered three times, and when it is sent again while it runs', async (t) => {
    const world = await openWorld(t, {
      senderBus: (bus, { clock, random }) =>
        repeatingBus(bus, { topic: 'swarm.commands', copies: 3, laterMsMax: 3_000, clock, random }),
    })
    const sender = await world.sender('tower')
    const other = await world.sender('twin')
    const { effects } = await start(world, world.agent('drone-7'))
    for (const [declared, intentId] of [
      [Move, 'one'],
      [Photo, 'two'],
    ] as const) {
      const first = sender.send(declared, 'drone-7', { ms: 200 }, { intentId })
      await world.clock.advance(50)
      const second = other.send(declared, 'drone-7', { ms: 200 }, { intentId })
      const same = sender.send(declared, 'drone-7', { ms: 200 }, { intentId })
      const outcomes = await world.run(Promise.all([first, second, same]))
      assert.deepEqual(outcomes.map(short), ['done', 'done', 'done'])
      await world.clock.advance(10_000)
    }
    assert.deepEqual(effects, ['one', 'two'])
  })

  it('refuse the same intent id with another body, from whichever sender', async (t) => {
    const world = await openWorld(t)
    const sender = await world.sender('tower')
    const { effects } = await start(world, world.agent('drone-7'))
    await world.run(sender.send(Move, 'drone-7', { ms: 1 }, { intentId: 'one' }))
    await assert.rejects(world.run(sender.send(Move, 'drone-7', { ms: 2 }, { intentId: 'one' })), {
      code: 'intent-reused',
    })
    const other = await world.sender('twin')
    await assert.rejects(world.run(other.send(Land, 'drone-7', { ms: 1 }, { intentId: 'one' })), {
      code: 'intent-reused',
    })
    assert.deepEqual(effects, ['one'])
  })

  it('are not sent again under the same id while no node can say whether they were sent before', async (t) => {
    const world = await openWorld(t)
    const sender = await world.sender('tower')
    const { effects } = await start(world, world.agent('drone-7'))
    await world.run(sender.send(Move, 'drone-7', { ms: 1 }, { intentId: 'one' }))
    // Long enough for the agent to forget the first, which nobody may run any more.
    await world.clock.advance(3_600_000)
    await world.run(sender.send(Move, 'drone-7', { ms: 1 }, { intentId: 'two' }))
    await world.clock.advance(10_000)
    await world.run(sender.send(Move, 'drone-7', { ms: 1 }, { intentId: 'three' }))
    await world.stopServices()
    const other = await world.sender('other')
    await assert.rejects(world.run(other.send(Move, 'drone-7', { ms: 1 }, { intentId: 'one' })), {
      code: 'connection-lost',
      retryable: true,
    })
    assert.deepEqual(effects, ['one', 'two', 'three'])
  })

  it('are refused before anything is written for an unknown agent and for a value that does not fit', async (t) => {
    const world = await openWorld(t)
    const sender = await world.sender('tower')
    await assert.rejects(world.run(sender.send(Move, 'nobody', { ms: 1 })), { code: 'unknown-agent' })
    for (const intentId of ['', 'x'.repeat(257)]) {
      await assert.rejects(world.run(sender.send(Move, 'nobody', { ms: 1 }, { intentId })), { code: 'bad-argument' })
    }
    const wrong = { ms: 'soon' } as unknown as { ms: number }
    await assert.rejects(world.run(sender.send(Move, 'nobody', wrong)), { code: 'schema-mismatch' })
    const [end] = await world.bus.reader('swarm.commands', { mode: 'broadcast', from: 'earliest' }).end()
    assert.equal(end?.sequence, 0)
  })

  it('are rejected by a handler that throws CommandRejected, failed by any other throw, and when nobody handles them', async (t) => {
    const world = await openWorld(t)
    const sender = await world.sender('tower')
    const { receiver } = await world.agent('drone-7').join()
    receiver.handle(Move, () => {
      throw new CommandRejected('no fuel')
    })
    receiver.handle(Land, () => {
      throw new Error('stalled')
    })
    const sent = [Move, Land, Photo].map((declared) => sender.send(declared, 'drone-7', { ms: 1 }))
    const outcomes = await world.run(Promise.all(sent))
    assert.deepEqual(outcomes.map(short), ['rejected: refused', 'failed: handler-failed', 'rejected: unknown-command'])
  })

  it('fail when they run longer than they may', async (t) => {
    const world = await openWorld(t)
    const sender = await world.sender('tower')
    const Hover = declare('hover', 'queue', { completeWithinMs: 500 })
    const { receiver } = await world.agent('drone-7').join()
    let reason: unknown
    receiver.handle(Hover, async (_, { signal }) => {
      await world.clock.sleep(5_000, { signal }).catch((error) => {
        reason = error
        throw error
      })
      return { ran: 0 }
    })
    assert.equal(short(await world.run(sender.send(Hover, 'drone-7', { ms: 1 }))), 'failed: timed-out')
    assert.match(String(reason), /longer than 500 ms/)
  })

  it('replace the running one at once, and those that wait behind it', async (t) => {
    const world = await openWorld(t)
    const sender = await world.sender('tower')
    const { started, effects } = await start(world, world.agent('drone-7'))
    const running = sender.send(Move, 'drone-7', { ms: 10_000 }, { intentId: 'running' })
    await world.clock.advance(20)
    const waiting = sender.send(Move, 'drone-7', { ms: 10_000 }, { intentId: 'waiting' })
    await world.clock.advance(20)
    const landing = sender.send(Land, 'drone-7', { ms: 30 }, { intentId: 'land' })
    const outcomes = await world.run(Promise.all([running, waiting, landing]))
    assert.deepEqual(outcomes.map(short), ['failed: replaced', 'failed: replaced', 'done'])
    assert.deepEqual(started, ['running', 'land'])
    assert.deepEqual(effects, ['land'])
  })

  it('expire at the receiver when they wait behind another one past their deadline', async (t) => {
    const world = await openWorld(t)
    const sender = await world.sender('tower')
    const { started } = await start(world, world.agent('drone-7'))
    const running = sender.send(Move, 'drone-7', { ms: 3_000 }, { intentId: 'running' })
    await world.clock.advance(20)
    const atMs = world.clock.monotonicMs()
    const waiting = await world.run(sender.send(Move, 'drone-7', { ms: 10 }, { intentId: 'waiting' }))
    assert.equal(short(waiting), 'expired: deadline')
    assert.ok(world.clock.monotonicMs() - atMs < 1_200)
    assert.equal(short(await world.run(running)), 'done')
    assert.deepEqual(started, ['running'])
  })

  it('run beside each other when they are parallel, and in order when they queue', async (t) => {
    const world = await openWorld(t)
    const sender = await world.sender('tower')
    const { started, effects } = await start(world, world.agent('drone-7'))
    const ids = ['slow', 'quick', 'first', 'second']
    const declared = [Photo, Photo, Move, Move]
    const sent = declared.map((each, index) =>
      sender.send(each, 'drone-7', { ms: index === 0 ? 500 : 50 }, { intentId: ids[index]! }),
    )
    assert.deepEqual((await world.run(Promise.all(sent))).map(short), ['done', 'done', 'done', 'done'])
    assert.deepEqual(started, ids)
    assert.deepEqual(effects, ['quick', 'first', 'second', 'slow'])
  })

  for (const inbox of ['local', 'node'] as const) {
    it(`are unknown after a kill between claim and outcome, and never run again (${inbox} inbox)`, async (t) => {
      const world = await openWorld(t)
      const sender = await world.sender('tower')
      const agent = world.agent('drone-7', { inbox })
      const first = await start(world, agent)
      const sending = sender.send(Move, 'drone-7', { ms: 500 }, { intentId: 'one' })
      await world.clock.advance(100)
      assert.deepEqual(first.started, ['one'])
      await agent.kill({ powerLoss: true })
      const second = await start(world, agent)
      assert.equal(short(await world.run(sending)), 'unknown: interrupted')
      await world.clock.advance(5_000)
      assert.deepEqual([first.effects, second.started], [[], []])
      const known = await world.run(sender.outcome('one'))
      assert.deepEqual(known.map(short), ['unknown: interrupted'])
    })

    it(`run again after a kill when they are idempotent (${inbox} inbox)`, async (t) => {
      const world = await openWorld(t)
      const sender = await world.sender('tower')
      const agent = world.agent('drone-7', { inbox })
      const first = await start(world, agent)
      const sending = sender.send(Beep, 'drone-7', { ms: 500 }, { intentId: 'one' })
      await world.clock.advance(100)
      await agent.kill({ powerLoss: true })
      const second = await start(world, agent)
      // Not acknowledged, it is given again: nobody has to wait for a resend.
      const outcome = await world.run(sending, 800)
      assert.equal(short(outcome), 'done')
      assert.deepEqual([first.effects, second.effects, second.again], [[], ['one'], [true]])
    })

    it(`keep an outcome that was stored and not reported before a kill (${inbox} inbox)`, async (t) => {
      const world = await openWorld(t)
      const sender = await world.sender('tower')
      const agent = world.agent('drone-7', { inbox })
      const first = await start(world, agent)
      const sending = sender.send(Move, 'drone-7', { ms: 100 }, { intentId: 'one' })
      await world.clock.advanceUntil(() => first.effects.length > 0, { stepMs: 1 })
      await agent.kill()
      await world.clock.advance(2_000)
      const second = await start(world, agent)
      const outcome = short(await world.run(sending))
      assert.ok(outcome === 'done' || outcome === 'unknown: interrupted', outcome)
      assert.deepEqual(second.started, [])
    })
  }

  it('to an agent that is away are held, and run once when it is back within the deadline', async (t) => {
    const world = await openWorld(t)
    const sender = await world.sender('tower')
    const agent = world.agent('drone-7')
    await start(world, agent)
    await agent.leave()
    const sending = sender.send(Beep, 'drone-7', { ms: 10 }, { intentId: 'one' })
    await world.clock.advance(5_000)
    const { effects } = await start(world, agent)
    assert.equal(short(await world.run(sending)), 'done')
    await world.clock.advance(30_000)
    assert.deepEqual(effects, ['one'])
  })

  it('never get a new deadline: what is sent again says the same', async (t) => {
    const world = await openWorld(t)
    const sender = await world.sender('tower')
    const agent = world.agent('drone-7')
    await start(world, agent)
    await agent.leave()
    const deadline = String(world.clock.nowMs() + Beep.startWithinMs)
    const sending = sender.send(Beep, 'drone-7', { ms: 10 }, { intentId: 'one', timeoutMs: 9_000 })
    await world.run(sending)
    const again = sender.send(Beep, 'drone-7', { ms: 10 }, { intentId: 'one', timeoutMs: 500 })
    const other = await world.sender('twin')
    const third = other.send(Beep, 'drone-7', { ms: 10 }, { intentId: 'one', timeoutMs: 500 })
    await world.run(Promise.all([again, third]))
    const reader = world.bus.reader('swarm.commands', { mode: 'broadcast', from: 'earliest' })
    const deadlines: unknown[] = []
    for (let batch = await reader.read(); batch !== null; batch = await world.run(reader.read({ waitMs: 10 }))) {
      deadlines.push(...batch.deliveries.map((delivery) => delivery.headers.skeindeadline))
    }
    assert.ok(deadlines.length >= 3, `${deadlines.length} records`)
    assert.deepEqual(new Set(deadlines), new Set([deadline]))
  })

  it('are looked at once more when the claim took long: late, or without a lease, they do not run', async (t) => {
    const world = await openWorld(t)
    const sender = await world.sender('tower')
    let claimed = async () => {}
    const { session, started } = await start(world, world.agent('drone-7'), {
      wrapInbox: (inbox: InboxStore): InboxStore => ({
        claim: async (request, options) => {
          const result = await inbox.claim(request, options)
          await claimed()
          return result
        },
        settle: (request, options) => inbox.settle(request, options),
        reported: (identity) => inbox.reported(identity),
        recover: (recovering, options) => inbox.recover(recovering, options),
        close: () => inbox.close(),
      }),
    })
    claimed = () => world.clock.sleep(1_500)
    assert.equal(short(await world.run(sender.send(Move, 'drone-7', { ms: 1 }))), 'expired: deadline')
    claimed = async () => session.lease.lose()
    assert.equal(short(await world.run(sender.send(Move, 'drone-7', { ms: 1 }, { intentId: 'renewed' }))), 'done')
    claimed = async () => {
      session.lease.lose()
      world.roster.join('drone-7', world.clock.nowMs())
    }
    const fenced = sender.send(Move, 'drone-7', { ms: 1 }, { timeoutMs: 2_000 })
    assert.equal(short(await world.run(fenced)), 'unknown: no-answer')
    assert.deepEqual(started, ['renewed'])
  })

  it('to an agent that is away past the deadline are withdrawn as expired and never run', async (t) => {
    const world = await openWorld(t)
    const sender = await world.sender('tower')
    const left = world.agent('left')
    const killed = world.agent('killed')
    const nodeHeld = world.agent('held', { inbox: 'node' })
    for (const agent of [left, killed, nodeHeld]) await start(world, agent)
    await left.leave()
    await killed.kill()
    await nodeHeld.kill()
    await world.clock.advance(3_500)
    const outcomes = await world.run(sender.send(Move, ['held', 'killed', 'left'], { ms: 10 }, { intentId: 'one' }))
    assert.deepEqual(outcomes.map(short), ['expired: undelivered', 'expired: undelivered', 'expired: undelivered'])
    for (const agent of [left, killed, nodeHeld]) {
      const { started } = await start(world, agent)
      await world.clock.advance(3_000)
      assert.deepEqual(started, [])
    }
  })

  it('are not withdrawn while the agent may have claimed them: unknown, until it says so itself', async (t) => {
    const world = await openWorld(t)
    const sender = await world.sender('tower')
    const agent = world.agent('drone-7')
    const first = await start(world, agent)
    const sending = sender.send(Move, 'drone-7', { ms: 500 }, { intentId: 'one', timeoutMs: 4_000 })
    await world.clock.advance(100)
    assert.deepEqual(first.started, ['one'])
    await agent.kill()
    assert.equal(short(await world.run(sending)), 'unknown: no-answer')
    assert.deepEqual((await world.run(sender.outcome('one'))).map(short), ['unknown: pending'])
    await start(world, agent)
    await world.clock.advance(500)
    assert.deepEqual((await world.run(sender.outcome('one'))).map(short), ['unknown: interrupted'])
  })

  it('are not withdrawn by a node that was started anew and cannot know when the agent was heard last', async (t) => {
    const world = await openWorld(t)
    const sender = await world.sender('tower')
    const agent = world.agent('drone-7')
    const { started } = await start(world, agent)
    const { joinedAtMs } = world.roster.get('drone-7')!
    await world.clock.advance(20_000)
    const sending = sender.send(Beep, 'drone-7', { ms: 60_000 }, { intentId: 'one', timeoutMs: 15_000 })
    await world.clock.advance(100)
    assert.deepEqual(started, ['one'])
    await agent.kill()
    // Pulses are not stored: all that a new node finds is the join.
    world.roster.set('drone-7', { liveness: 'lost', seenAtMs: joinedAtMs })
    await world.run(world.stopServices())
    await world.startServices()
    assert.equal(short(await world.run(sending)), 'unknown: no-answer')
  })

  it('to an older epoch of an agent that was there are rejected as stale', async (t) => {
    const world = await openWorld(t)
    const sender = await world.sender('tower')
    const agent = world.agent('drone-7')
    await start(world, agent)
    const before = world.roster.get('drone-7')!
    await agent.kill()
    const again = await start(world, agent)
    const now = world.roster.get('drone-7')!
    world.roster.set('drone-7', before)
    world.roster.set('drone-7', { liveness: 'alive' })
    const sending = sender.send(Move, 'drone-7', { ms: 10 }, { intentId: 'one' })
    await world.clock.settle()
    world.roster.set('drone-7', now)
    assert.equal(short(await world.run(sending)), 'rejected: stale')
    assert.deepEqual(again.started, [])
  })

  it('of a newer epoch fence the receiver, whose running handlers are aborted and store nothing', async (t) => {
    const world = await openWorld(t)
    const sender = await world.sender('tower')
    const agent = world.agent('drone-7')
    const { started, effects } = await start(world, agent)
    const running = sender.send(Move, 'drone-7', { ms: 1_000 }, { intentId: 'running', timeoutMs: 2_000 })
    await world.clock.advance(50)
    world.roster.set('drone-7', { epoch: 99 })
    const newer = sender.send(Move, 'drone-7', { ms: 10 }, { intentId: 'newer', timeoutMs: 2_000 })
    assert.deepEqual((await world.run(Promise.all([running, newer]))).map(short), [
      'unknown: no-answer',
      'unknown: no-answer',
    ])
    assert.deepEqual([started, effects], [['running'], []])
    assert.ok(world.errors.some((error) => (error as { code?: string }).code === 'fenced'))
  })

  it('are claimed only under a lease: renewed after a pause, and never once a newer epoch is there', async (t) => {
    const world = await openWorld(t)
    const sender = await world.sender('tower')
    const { session, started } = await start(world, world.agent('drone-7'))
    session.lease.lose()
    assert.equal(short(await world.run(sender.send(Move, 'drone-7', { ms: 1 }, { intentId: 'renewed' }))), 'done')
    session.lease.lose()
    const sending = sender.send(Move, 'drone-7', { ms: 1 }, { intentId: 'fenced', timeoutMs: 2_000 })
    await world.clock.settle()
    world.roster.join('drone-7', world.clock.nowMs())
    assert.equal(short(await world.run(sending)), 'unknown: no-answer')
    assert.deepEqual(started, ['renewed'])
  })

  it('wait for running handlers on drain, are given to the next session when they had to wait, and abort on close', async (t) => {
    const world = await openWorld(t)
    const sender = await world.sender('tower')
    const agent = world.agent('drone-7')
    const first = await start(world, agent)
    const running = sender.send(Beep, 'drone-7', { ms: 1_000 }, { intentId: 'running' })
    await world.clock.advance(50)
    const waiting = sender.send(Beep, 'drone-7', { ms: 10 }, { intentId: 'waiting' })
    await world.clock.advance(50)
    world.roster.set('drone-7', { liveness: 'suspect' })
    const held = sender.send(Beep, 'drone-7', { ms: 10 }, { intentId: 'held' })
    await agent.leave()
    assert.equal(short(await world.run(running)), 'done')
    assert.deepEqual(first.effects, ['running'])
    const second = await start(world, agent)
    assert.deepEqual((await world.run(Promise.all([waiting, held]))).map(short), ['rejected: stale', 'done'])
    assert.deepEqual(second.effects, ['held'])
    const aborted = sender.send(Move, 'drone-7', { ms: 5_000 }, { intentId: 'aborted' })
    await world.clock.advance(50)
    await world.run(second.session.receiver.close())
    assert.equal(short(await world.run(aborted)), 'failed: closed')
    assert.throws(() => second.session.receiver.handle(Move, () => ({ ran: 0 })), { code: 'closed' })
  })

  it('to a selector reach every agent once, with one record per partition', async (t) => {
    const world = await openWorld(t, { partitions: 4 })
    const sender = await world.sender('tower')
    const ids = Array.from({ length: 40 }, (_, index) => `drone-${index}`)
    const sessions = []
    for (const id of ids) sessions.push(await start(world, world.agent(id, { inbox: 'node' })))
    const outcomes = await world.run(sender.send(Move, { type: 'quadrotor' }, { ms: 10 }, { intentId: 'all' }))
    assert.deepEqual(
      outcomes.map((each) => each.agentId),
      [...ids].sort(),
    )
    assert.deepEqual(new Set(outcomes.map(short)), new Set(['done']))
    for (const { effects } of sessions) assert.deepEqual(effects, ['all'])
    const { partitions } = await world.bus.admin.describeTopic('swarm.commands')
    assert.deepEqual(
      partitions.map(({ end, start: from }) => end.sequence - from.sequence),
      [1, 1, 1, 1],
    )
  })

  it('tell a sender that gave up later, and another fabric as well', async (t) => {
    const world = await openWorld(t)
    const sender = await world.sender('tower')
    await start(world, world.agent('drone-7'))
    const outcome = await world.run(sender.send(Move, 'drone-7', { ms: 500 }, { intentId: 'one', timeoutMs: 100 }))
    assert.equal(short(outcome), 'unknown: no-answer')
    await world.clock.advance(1_000)
    for (const asker of [sender, await world.sender('twin')]) {
      const [known] = await world.run(asker.outcome('one', { agentId: 'drone-7' }))
      assert.deepEqual(known, { intentId: 'one', agentId: 'drone-7', state: 'done', reply: { ran: 500 } })
    }
    assert.deepEqual(await world.run(sender.outcome('never sent')), [])
    const stop = new AbortController()
    const aborted = sender.send(Move, 'drone-7', { ms: 10 }, { signal: stop.signal })
    stop.abort(new Error('enough'))
    await assert.rejects(world.run(aborted), /enough/)
  })
})
