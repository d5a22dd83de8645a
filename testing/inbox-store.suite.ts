import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { ClaimRequest, InboxStore, SettleRequest, StoredOutcome } from '../src/channel/index.ts'

/** One inbox under test, in a world of its own whose node time the test sets. */
export interface InboxWorld {
  /** Opens it, again after `crash()` or after closing it. */
  open(): Promise<InboxStore>
  /** The agent, or whoever holds the inbox, stops without a word; what was not durable is gone. */
  crash(): Promise<void>
  /** Lets node time pass. */
  advance(durationMs: number): Promise<void>
  /** Node time now. */
  nowMs(): number
  dispose(): Promise<void>
}

export interface InboxWorldOptions {
  readonly rowsMax: number
  readonly graceMs: number
}

const AGENT = 'drone-7'
const DONE: StoredOutcome = { state: 'done', reply: '{"arrivedAt":5}', atMs: 0 }

/** What every `InboxStore` must do. `openWorld` gives a fresh one for each test. */
export function inboxStoreSuite(name: string, openWorld: (options: InboxWorldOptions) => Promise<InboxWorld>): void {
  const withWorld =
    (body: (world: InboxWorld) => Promise<void>, options: Partial<InboxWorldOptions> = {}) =>
    async () => {
      const world = await openWorld({ rowsMax: 1_000, graceMs: 60_000, ...options })
      try {
        await body(world)
      } finally {
        await world.dispose()
      }
    }

  describe(`InboxStore ${name}`, () => {
    describeClaims(withWorld)
    describeRefusals(withWorld)
    describeCrashes(withWorld)
    describeReports(withWorld)
    describeReported(withWorld)
    describeWindow(withWorld)
    describeBounds(withWorld)
    it('runs a command once, whatever is repeated, lost and crashed', () => checkHistories(openWorld))
  })
}

type WithWorld = (
  body: (world: InboxWorld) => Promise<void>,
  options?: Partial<InboxWorldOptions>,
) => () => Promise<void>

function describeClaims(withWorld: WithWorld): void {
  it(
    'claims a fresh command once and answers repeats with its outcome, reply included',
    withWorld(async (world) => {
      const inbox = await world.open()
      const request = requestAt(world)
      assert.deepEqual(await inbox.claim(request), { kind: 'claimed', again: false, replaced: [] })
      assert.equal((await inbox.settle({ ...request, outcome: DONE })).state, 'done')
      assert.deepEqual(await seen(inbox, request), pick(DONE))
      const bytes = requestAt(world, { intentId: 'bytes' })
      await inbox.claim(bytes)
      await inbox.settle({ ...bytes, outcome: { state: 'done', reply: Uint8Array.of(0, 255, 7), atMs: 0 } })
      assert.deepEqual((await seen(inbox, bytes)).reply, Uint8Array.of(0, 255, 7))
    }),
  )

  it(
    'gives the same receiver its claim again when the answer was lost',
    withWorld(async (world) => {
      const inbox = await world.open()
      const request = requestAt(world)
      await inbox.claim(request)
      assert.equal((await inbox.claim(request)).kind, 'claimed')
    }),
  )

  it(
    'keeps the first outcome when another one is settled',
    withWorld(async (world) => {
      const inbox = await world.open()
      const request = requestAt(world)
      await inbox.claim(request)
      await inbox.settle({ ...request, outcome: DONE })
      const failed = await inbox.settle({ ...request, outcome: { state: 'failed', reason: 'replaced', atMs: 0 } })
      assert.equal(failed.state, 'done')
    }),
  )
}

function describeRefusals(withWorld: WithWorld): void {
  it(
    'refuses the same intent id with another body, and keeps what it knows of the first',
    withWorld(async (world) => {
      const inbox = await world.open()
      const request = requestAt(world)
      const other = { ...request, bodyHash: 'another' }
      await inbox.claim(request)
      assert.deepEqual(await inbox.claim(other), { kind: 'conflict' })
      assert.equal((await inbox.settle({ ...other, outcome: DONE })).reason, 'intent-reused')
      await inbox.settle({ ...request, outcome: DONE })
      assert.deepEqual(await inbox.claim(other), { kind: 'conflict' })
      assert.equal((await seen(inbox, request)).state, 'done')
    }),
  )

  it(
    'rejects a command sent to an older epoch, unless it was held for whichever comes next',
    withWorld(async (world) => {
      const inbox = await world.open()
      const stale = await seen(inbox, requestAt(world, { epoch: 9, sentEpoch: 5 }))
      assert.deepEqual([stale.state, stale.reason], ['rejected', 'stale'])
      const held = requestAt(world, { intentId: 'held', epoch: 9, sentEpoch: 5, held: true })
      assert.equal((await inbox.claim(held)).kind, 'claimed')
    }),
  )

  it(
    'tells a receiver that it is fenced when a command was sent to a newer epoch',
    withWorld(async (world) => {
      const inbox = await world.open()
      await assert.rejects(inbox.claim(requestAt(world, { epoch: 5, sentEpoch: 9 })), { code: 'fenced' })
    }),
  )

  it(
    'stores the outcomes of replaced commands together with the claim',
    withWorld(async (world) => {
      const inbox = await world.open()
      const waiting = requestAt(world, { intentId: 'waiting' })
      const replaced: StoredOutcome = { state: 'failed', reason: 'replaced', message: 'later', atMs: 3 }
      const claim = await inbox.claim(requestAt(world), { replaces: [{ ...waiting, outcome: replaced }] })
      assert.equal(claim.kind === 'claimed' && claim.replaced[0]?.reason, 'replaced')
      await world.crash()
      const again = await world.open()
      assert.equal((await seen(again, { ...waiting, epoch: 7, incarnation: 'second' })).reason, 'replaced')
    }),
  )
}

/** The next session of the agent. */
const restarted = { epoch: 7, incarnation: 'second' }

function describeCrashes(withWorld: WithWorld): void {
  it(
    'says unknown after a crash between claim and outcome, and never claims it again',
    withWorld(async (world) => {
      const request = requestAt(world)
      await (await world.open()).claim(request)
      await world.crash()
      const inbox = await world.open()
      const outcome = await seen(inbox, { ...request, ...restarted })
      assert.deepEqual([outcome.state, outcome.reason], ['unknown', 'interrupted'])
      await world.crash()
      const third = await world.open()
      assert.equal((await seen(third, { ...request, epoch: 8, incarnation: 'third' })).state, 'unknown')
    }),
  )

  it(
    'claims an idempotent command again after a crash, but not past its deadline',
    withWorld(async (world) => {
      const request = requestAt(world, { idempotent: true })
      const late = requestAt(world, { idempotent: true, intentId: 'late' })
      const first = await world.open()
      await first.claim(request)
      await first.claim(late)
      await world.crash()
      const inbox = await world.open()
      const again = await inbox.claim({ ...request, ...restarted })
      assert.equal(again.kind === 'claimed' && again.again, true)
      await world.advance(2_000)
      assert.equal((await seen(inbox, { ...late, ...restarted })).state, 'unknown')
    }),
  )

  it(
    'fences an older epoch once a newer one has used the inbox',
    withWorld(async (world) => {
      const inbox = await world.open()
      const request = requestAt(world, { epoch: 7, sentEpoch: 7, incarnation: 'newer' })
      await inbox.claim(request)
      await assert.rejects(inbox.settle({ ...request, epoch: 5, incarnation: 'older', outcome: DONE }), {
        code: 'fenced',
      })
      await inbox.recover({ agentId: AGENT, epoch: 7, incarnation: 'newer' })
      await assert.rejects(inbox.recover({ agentId: AGENT, epoch: 5, incarnation: 'older' }), { code: 'fenced' })
    }),
  )

  it(
    'gives an older epoch nothing once a newer one has begun, not even what nobody has seen yet',
    withWorld(async (world) => {
      const first = await world.open()
      await first.recover({ agentId: AGENT, epoch: 7, incarnation: 'newer' })
      await refusesOlder(world, first, 'before')
      await world.crash()
      await refusesOlder(world, await world.open(), 'after a crash')
    }),
  )
}

async function refusesOlder(world: InboxWorld, inbox: InboxStore, intentId: string): Promise<void> {
  const older = requestAt(world, { intentId, incarnation: 'older' })
  await assert.rejects(inbox.claim(older), { code: 'fenced' })
  await assert.rejects(inbox.settle({ ...older, outcome: DONE }), { code: 'fenced' })
  // What was refused has left nothing behind, and another agent's epochs are its own.
  assert.equal((await inbox.claim({ ...older, epoch: 7, sentEpoch: 7, incarnation: 'newer' })).kind, 'claimed')
  assert.equal((await inbox.claim({ ...older, agentId: 'rover-1' })).kind, 'claimed')
}

function describeReports(withWorld: WithWorld): void {
  it(
    'remembers a stored outcome after a crash, and that nobody has reported it',
    withWorld(async (world) => {
      const request = requestAt(world)
      const first = await world.open()
      await first.claim(request)
      await first.settle({ ...request, outcome: DONE })
      const interrupted = requestAt(world, { intentId: 'interrupted' })
      await first.claim(interrupted)
      await world.crash()
      const inbox = await world.open()
      const { unreported, againMs } = await inbox.recover({ agentId: AGENT, ...restarted })
      assert.deepEqual(
        unreported.map((each) => [each.intentId, each.sender, each.outcome.state]).sort(),
        [
          ['intent-1', 'tower', 'done'],
          ['interrupted', 'tower', 'unknown'],
        ].sort(),
      )
      assert.equal(againMs, undefined)
      assert.deepEqual(await seen(inbox, { ...request, ...restarted }), pick(DONE))
    }),
  )

  it(
    'leaves interrupted idempotent commands to be given again, and says until when',
    withWorld(async (world) => {
      const request = requestAt(world, { idempotent: true })
      await (await world.open()).claim(request)
      await world.crash()
      const inbox = await world.open()
      const early = await inbox.recover({ agentId: AGENT, ...restarted })
      assert.deepEqual(early, { unreported: [], againMs: request.deadlineMs })
      await world.advance(5_000)
      const late = await inbox.recover({ agentId: AGENT, ...restarted })
      assert.deepEqual(
        late.unreported.map((each) => each.outcome.state),
        ['unknown'],
      )
    }),
  )
}

function describeReported(withWorld: WithWorld): void {
  it(
    'does not ask for a report of what was reported, once the note is written',
    withWorld(async (world) => {
      const request = requestAt(world)
      const first = await world.open()
      await first.claim(request)
      await first.settle({ ...request, outcome: DONE })
      first.reported(request)
      await first.close()
      await world.advance(1_000)
      const inbox = await world.open()
      assert.deepEqual((await inbox.recover({ agentId: AGENT, ...restarted })).unreported, [])
    }),
  )
}

function describeWindow(withWorld: WithWorld): void {
  it(
    'says expired past the deadline, and keeps saying so',
    withWorld(async (world) => {
      const inbox = await world.open()
      const request = requestAt(world)
      await world.advance(1_001)
      assert.equal((await seen(inbox, request)).state, 'expired')
      assert.equal((await seen(inbox, request)).reason, 'deadline')
    }),
  )

  it(
    'answers a repeat past the deadline with the outcome while the row lives, and with expired after that',
    withWorld(
      async (world) => {
        const inbox = await world.open()
        const request = requestAt(world)
        await inbox.claim(request)
        await inbox.settle({ ...request, outcome: DONE })
        await world.advance(5_000)
        assert.equal((await seen(inbox, request)).state, 'done')
        await world.advance(20_000)
        const other = requestAt(world, { intentId: 'other' })
        await inbox.claim(other)
        await inbox.settle({ ...other, outcome: DONE })
        assert.equal((await seen(inbox, request)).state, 'expired')
      },
      { graceMs: 10_000 },
    ),
  )

  it(
    'does not forget a command that still runs, and remembers its outcome for the grace',
    withWorld(
      async (world) => {
        const inbox = await world.open()
        const request = requestAt(world)
        await inbox.claim(request)
        for (let index = 0; index < 5; index += 1) {
          await world.advance(20_000)
          await inbox.claim(requestAt(world, { intentId: `other-${index}` }))
        }
        assert.equal((await inbox.settle({ ...request, outcome: DONE })).state, 'done')
        await world.advance(6_000)
        await inbox.claim(requestAt(world, { intentId: 'last' }))
        assert.equal((await seen(inbox, request)).state, 'done')
      },
      { graceMs: 10_000 },
    ),
  )
}

function describeBounds(withWorld: WithWorld): void {
  it(
    'refuses with overloaded when it is full, and goes on when rows may be forgotten',
    withWorld(
      async (world) => {
        const inbox = await world.open()
        for (let index = 0; index < 3; index += 1) {
          const request = requestAt(world, { intentId: `intent-${index}` })
          await inbox.claim(request)
          await inbox.settle({ ...request, outcome: DONE })
        }
        await assert.rejects(inbox.claim(requestAt(world, { intentId: 'one more' })), { code: 'overloaded' })
        await world.advance(20_000)
        assert.equal((await inbox.claim(requestAt(world, { intentId: 'later' }))).kind, 'claimed')
      },
      { rowsMax: 3, graceMs: 10_000 },
    ),
  )
}

/** Any history of claims, settles, repeats and crashes: a claim that may run is given to one receiver, and outcomes stand. */
async function checkHistories(openWorld: (options: InboxWorldOptions) => Promise<InboxWorld>): Promise<void> {
  const step = fc.record({
    intent: fc.integer({ min: 0, max: 2 }),
    act: fc.constantFrom('claim', 'claim', 'settle', 'crash', 'wait', 'recover'),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
      const world = await openWorld({ rowsMax: 1_000, graceMs: 10_000 })
      try {
        await playHistory(world, steps)
      } finally {
        await world.dispose()
      }
    }),
    { numRuns: 25 },
  )
}

async function playHistory(
  world: InboxWorld,
  steps: readonly { readonly intent: number; readonly act: string }[],
): Promise<void> {
  let inbox = await world.open()
  let epoch = 5
  const runs = new Map<string, number>()
  const outcomes = new Map<string, string>()
  const requests = [0, 1, 2].map((index) => requestAt(world, { intentId: `intent-${index}`, held: true }))
  const stands = (intentId: string, outcome: StoredOutcome) => {
    const before = outcomes.get(intentId)
    // Past its window a row is forgotten, and then the command is expired whatever became of it.
    if (before !== undefined && outcome.state !== 'expired') assert.equal(outcome.state, before)
    outcomes.set(intentId, before ?? outcome.state)
  }
  for (const { intent, act } of steps) {
    const request = { ...requests[intent]!, epoch, incarnation: `receiver ${epoch}` }
    if (act === 'crash') {
      await world.crash()
      epoch += 1
      inbox = await world.open()
    } else if (act === 'wait') await world.advance(400)
    else if (act === 'recover') {
      const session = { agentId: AGENT, epoch, incarnation: request.incarnation }
      for (const each of (await inbox.recover(session)).unreported) stands(each.intentId, each.outcome)
    } else if (act === 'settle') {
      if (runs.get(request.intentId) === epoch)
        stands(request.intentId, await inbox.settle({ ...request, outcome: DONE }))
    } else if (runs.get(request.intentId) !== epoch) {
      // A receiver does not ask for what it is running.
      const result = await inbox.claim(request)
      if (result.kind === 'seen') stands(request.intentId, result.outcome)
      if (result.kind !== 'claimed') continue
      assert.equal(runs.get(request.intentId) ?? epoch, epoch, 'no second receiver may run it')
      assert.equal(outcomes.get(request.intentId), undefined, 'what has an outcome never runs')
      assert.ok(world.nowMs() <= request.deadlineMs, 'what is claimed is fresh')
      runs.set(request.intentId, epoch)
    }
  }
}

function requestAt(world: InboxWorld, changes: Partial<ClaimRequest> = {}): ClaimRequest {
  return {
    intentId: 'intent-1',
    agentId: AGENT,
    epoch: 5,
    sentEpoch: 5,
    held: false,
    incarnation: 'first',
    bodyHash: 'hash',
    sender: 'tower',
    type: 'move-to',
    deadlineMs: world.nowMs() + 1_000,
    idempotent: false,
    ...changes,
  }
}

async function seen(inbox: InboxStore, request: ClaimRequest | SettleRequest): Promise<StoredOutcome> {
  const result = await inbox.claim(request)
  assert.equal(result.kind, 'seen')
  return pick((result as { readonly outcome: StoredOutcome }).outcome)
}

/** Without the fields that are undefined on one side of a wire and missing on the other. */
function pick(outcome: StoredOutcome): StoredOutcome {
  return Object.fromEntries(
    Object.entries(outcome).filter(([, value]) => value !== undefined),
  ) as unknown as StoredOutcome
}
