import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryTransport } from '../../testing/memory-transport.ts'
import { SimulatedClock } from '../../testing/simulated-clock.ts'
import { SkeinError } from '../core/index.ts'
import { decodeFrame, encodeFrameHeader, FRAME_HEADER_BYTES, FrameKind } from './frame.ts'
import { Lane } from './lane.ts'
import type { WireMessage } from './message.ts'
import { Precedence } from './precedence.ts'
import type { IncomingCall } from './served-calls.ts'
import { SESSION_LIMITS, Session, type SessionHandlers, type SessionLimits } from './session.ts'

interface Side {
  readonly session: Session
  readonly transport: MemoryTransport
  readonly precedence: Precedence
  readonly casts: WireMessage[]
  closed: SkeinError | undefined
}

function side(
  name: 'client' | 'node',
  transport: MemoryTransport,
  options: {
    readonly clock: SimulatedClock
    readonly limits: SessionLimits
    readonly onCall?: SessionHandlers['onCall']
  },
): Side {
  const precedence = new Precedence(options.clock)
  const made: { -readonly [Key in keyof Side]: Side[Key] } = {
    transport,
    precedence,
    casts: [],
    closed: undefined,
    session: undefined as unknown as Session,
  }
  made.session = new Session({
    transport,
    clock: options.clock,
    limits: options.limits,
    side: name,
    precedence,
    handlers: {
      onGreeting: (session) => {
        session.establish({ windowBytes: options.limits.windowBytes })
        if (name === 'node') session.greet('welcome', {})
      },
      onCall: options.onCall ?? (async (call: IncomingCall) => ({ head: call.head, body: [call.body] })),
      onCast: (cast) => made.casts.push(cast),
      onClosed: (error) => {
        made.closed = error
      },
    },
  })
  return made
}

function pair(options: { readonly limits?: Partial<SessionLimits>; readonly onCall?: SessionHandlers['onCall'] } = {}) {
  const clock = new SimulatedClock()
  const limits = { ...SESSION_LIMITS, ...options.limits }
  const [left, right] = MemoryTransport.pair()
  const node = side('node', right, { clock, limits, ...(options.onCall && { onCall: options.onCall }) })
  const client = side('client', left, { clock, limits })
  client.session.greet('hello', {})
  settle(client, node)
  return { client, node, clock }
}

/** Carries frames both ways until none is left. */
function settle(left: Side, right: Side): void {
  while (left.transport.deliver() + right.transport.deliver() > 0);
}

async function settleCalls(left: Side, right: Side): Promise<void> {
  for (let turn = 0; turn < 60; turn += 1) {
    settle(left, right)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

test('A call is answered with head and body, and a failure comes back as the error it was', async () => {
  const { client, node } = pair({
    onCall: async (call) => {
      if (call.head.fail === true) throw new SkeinError('disk-full', 'The disk is full', { details: { free: 0 } })
      return { head: { got: call.body.length }, body: [Buffer.from('answer')] }
    },
  })
  const good = client.session.call(1, { lane: Lane.urgent, head: {}, body: [Buffer.from('abc')] })
  const bad = client.session.call(1, { lane: Lane.urgent, head: { fail: true } })
  const outcome = assert.rejects(bad, { code: 'disk-full', message: 'The disk is full', details: { free: 0 } })
  await settleCalls(client, node)
  const answer = await good
  assert.deepEqual([answer.head, Buffer.from(answer.body).toString()], [{ got: 3 }, 'answer'])
  await outcome
})

test('Bulk calls are served once nothing urgent is under way at this side, urgent ones at once', async () => {
  const served: string[] = []
  const { client, node, clock } = pair({
    onCall: async (call) => {
      served.push(String(call.head.name))
      return {}
    },
  })
  const over = node.precedence.begin()
  const calls = ['bulk 1', 'bulk 2'].map((name) => client.session.call(1, { lane: Lane.bulk, head: { name } }))
  calls.push(client.session.call(1, { lane: Lane.urgent, head: { name: 'urgent' } }))
  settle(client, node)
  await clock.advance(5)
  assert.deepEqual(served, ['urgent'])
  over()
  await clock.advance(20)
  assert.deepEqual(served, ['urgent', 'bulk 1', 'bulk 2'])
  settle(client, node)
  await Promise.all(calls)
})

test('An urgent message overtakes bulk that waits, and bulk keeps its own order', async () => {
  const { client, node } = pair()
  for (let index = 0; index < 40; index += 1) {
    client.session.cast(1, { lane: Lane.bulk, head: { bulk: index }, body: [Buffer.alloc(60_000)] })
  }
  client.session.cast(2, { lane: Lane.urgent, head: { urgent: true } })
  const inTransport = client.transport.pending
  await settleCalls(client, node)
  const heads = node.casts.map((cast) => cast.head)
  const urgentAt = heads.findIndex((head) => head.urgent === true)
  assert.ok(urgentAt <= inTransport, `the urgent one came as number ${urgentAt}, ${inTransport} were in the transport`)
  assert.ok(urgentAt * 60_000 <= 256 * 1024, 'it waited behind more than 256 KiB')
  const bulk = heads.filter((head) => head.urgent !== true).map((head) => head.bulk)
  assert.deepEqual(
    bulk,
    Array.from({ length: 40 }, (_, index) => index),
  )
})

test('No more than the window is in transit until the peer has seen it', async () => {
  const { client, node } = pair({ limits: { windowBytes: 128 * 1024 } })
  for (let index = 0; index < 20; index += 1) {
    client.session.cast(1, { lane: Lane.bulk, body: [Buffer.alloc(60_000)] })
  }
  // The node receives, but what it says back does not come: the window closes.
  while (client.transport.deliver() > 0);
  const seenWhileClosed = node.casts.length
  assert.ok(seenWhileClosed >= 2 && seenWhileClosed <= 4, `${seenWhileClosed} came through a window of two`)
  await settleCalls(client, node)
  assert.equal(node.casts.length, 20)
})

test('A malformed frame closes that connection with the protocol’s reason, on both sides', () => {
  const { client, node } = pair()
  node.transport.receive(Buffer.from([1, 99, 0, 0]))
  assert.equal(node.closed?.code, 'connection-lost')
  assert.equal(node.transport.closedWith?.code, 'malformed-frame')
  assert.equal((client.closed?.cause as SkeinError).code, 'malformed-frame')
})

test('Before the greeting a peer may say little, and must say it soon', async () => {
  const clock = new SimulatedClock()
  const announce = (bytes: number) => {
    const frame = Buffer.alloc(FRAME_HEADER_BYTES + 8)
    encodeFrameHeader(frame, {
      ...{ kind: FrameKind.hello, lane: Lane.urgent, isFirst: true, isLast: false, channel: 0, operation: 0 },
      payloadBytes: 8,
    })
    frame.writeUInt32BE(bytes, FRAME_HEADER_BYTES + 4)
    return frame
  }
  const [, large] = MemoryTransport.pair()
  const talker = side('node', large, { clock, limits: SESSION_LIMITS })
  large.receive(announce(1024 * 1024))
  assert.equal(large.closedWith?.code, 'malformed-frame')
  assert.equal(talker.closed?.code, 'connection-lost')
  const [, slow] = MemoryTransport.pair()
  const silent = side('node', slow, { clock, limits: SESSION_LIMITS })
  slow.receive(announce(1_000))
  await clock.advance(15_000)
  assert.match(silent.closed!.message, /has not greeted/)
})

test('Nothing is allowed before the greeting', () => {
  const clock = new SimulatedClock()
  const [left, right] = MemoryTransport.pair()
  const node = side('node', right, { clock, limits: SESSION_LIMITS })
  const client = side('client', left, { clock, limits: SESSION_LIMITS })
  client.session.establish({ windowBytes: 1024 * 1024 })
  client.session.cast(1, { lane: Lane.bulk })
  settle(client, node)
  assert.equal(node.transport.closedWith?.code, 'malformed-frame')
})

test('A peer that takes nothing is cut off as a slow consumer when more waits for it than it may', () => {
  const { client, node } = pair({ limits: { pendingBytesMax: 1024 * 1024 } })
  for (let index = 0; index < 40 && client.closed === undefined; index += 1) {
    node.session.cast(1, { lane: Lane.bulk, body: [Buffer.alloc(60_000)] })
  }
  assert.equal(node.transport.closedWith?.code, 'slow-consumer')
  assert.equal(node.session.queuedBytes, 0)
})

test('A peer that takes nothing is cut off as a slow consumer after a while, however little waits', async () => {
  const { client, node, clock } = pair({ limits: { stallMsMax: 10_000, silenceMsMax: 1_000_000, windowBytes: 65_536 } })
  for (let index = 0; index < 5; index += 1) node.session.cast(1, { lane: Lane.bulk, body: [Buffer.alloc(60_000)] })
  while (node.transport.deliver() > 0);
  await clock.advance(5_000)
  assert.equal(node.session.isOpen, true)
  await clock.advance(12_000)
  assert.equal(node.transport.closedWith?.code, 'slow-consumer')
  assert.ok(client.closed !== undefined)
})

test('A silent peer is asked, and lost when it stays silent', async () => {
  const { client, node, clock } = pair()
  await clock.advance(6_000)
  settle(client, node)
  await clock.advance(6_000)
  settle(client, node)
  assert.equal(client.session.isOpen, true)
  assert.ok((client.session.roundTripMs ?? -1) >= 0)
  await clock.advance(40_000)
  assert.equal(client.closed?.code, 'connection-lost')
  assert.equal(node.closed?.code, 'connection-lost')
  // Whichever looked first says why; the other sees its connection close.
  assert.match(`${client.closed?.message} ${node.closed?.message}`, /nothing was heard/)
})

test('Calls in progress reject as lost when the connection ends, and the served side is told', async () => {
  let served: AbortSignal | undefined
  const { client, node } = pair({
    onCall: (call) => {
      served = call.signal
      return new Promise(() => {})
    },
  })
  const call = client.session.call(1, { lane: Lane.urgent })
  settle(client, node)
  client.transport.destroy()
  await assert.rejects(call, { code: 'connection-lost', retryable: true })
  assert.equal(served?.aborted, true)
})

test('An aborted call rejects with its reason, and the served side is told', async () => {
  let served: AbortSignal | undefined
  const { client, node } = pair({
    onCall: (call) => {
      served = call.signal
      return new Promise(() => {})
    },
  })
  const controller = new AbortController()
  const call = client.session.call(1, { lane: Lane.urgent, signal: controller.signal })
  settle(client, node)
  controller.abort(new Error('enough'))
  await assert.rejects(call, { message: 'enough' })
  settle(client, node)
  assert.equal(served?.aborted, true)
})

test('More calls at once than allowed are refused, more bytes than allowed end the connection', async () => {
  const { client, node } = pair({
    limits: { callsMax: 2, pendingBytesMax: 100_000 },
    onCall: () => new Promise(() => {}),
  })
  const calls = [1, 2, 3].map(() => client.session.call(1, { lane: Lane.urgent }))
  const refused = assert.rejects(calls[2]!, { code: 'overloaded' })
  calls[0]!.catch(() => {})
  calls[1]!.catch(() => {})
  await settleCalls(client, node)
  await refused
  const other = pair({ limits: { pendingBytesMax: 100_000 }, onCall: () => new Promise(() => {}) })
  for (let index = 0; index < 3; index += 1) {
    other.client.session.call(1, { lane: Lane.bulk, body: [Buffer.alloc(40_000)] }).catch(() => {})
  }
  settle(other.client, other.node)
  assert.equal(other.node.transport.closedWith?.code, 'overloaded')
})

test('What stands in the heads of calls counts like their bodies, and a head has a limit of its own', async () => {
  const { client, node } = pair({ limits: { pendingBytesMax: 100_000 }, onCall: () => new Promise(() => {}) })
  for (let index = 0; index < 3; index += 1) {
    client.session.call(1, { lane: Lane.urgent, head: { text: 'x'.repeat(40_000) } }).catch(() => {})
  }
  settle(client, node)
  assert.equal(node.transport.closedWith?.code, 'overloaded')
  const other = pair({ onCall: () => new Promise(() => {}) })
  const long = other.client.session.call(1, { lane: Lane.urgent, head: { text: 'x'.repeat(1024 * 1024) } })
  const refused = assert.rejects(long, { code: 'message-too-large', message: /whose head has 1048\d+ bytes/ })
  await settleCalls(other.client, other.node)
  await refused
  assert.equal(other.node.transport.closedWith, undefined)
})

test('A message over the peer’s limit is refused where it is sent', async () => {
  const clock = new SimulatedClock()
  const [left, right] = MemoryTransport.pair()
  const limits = SESSION_LIMITS
  side('node', right, { clock, limits })
  const client = side('client', left, { clock, limits })
  client.session.establish({ windowBytes: 65_536, messageBytesMax: 1_000 })
  await assert.rejects(client.session.call(1, { lane: Lane.bulk, body: [Buffer.alloc(2_000)] }), {
    code: 'message-too-large',
  })
})

test('close() tells the peer why before it closes', () => {
  const { client, node } = pair()
  node.session.close({ code: 'overloaded', message: 'come back later' })
  assert.equal((client.closed?.cause as SkeinError).code, 'overloaded')
  node.session.close({ code: 'overloaded', message: 'again' })
  assert.equal(node.session.isOpen, false)
})

test('Frames that a session sends are at most 64 KiB and a header', () => {
  const { client } = pair()
  const sizes: number[] = []
  const send = client.transport.send.bind(client.transport)
  client.transport.send = (frame) => {
    decodeFrame(frame)
    sizes.push(frame.length)
    send(frame)
  }
  client.session.cast(1, { lane: Lane.bulk, body: [Buffer.alloc(100_000), Buffer.alloc(100_000)] })
  client.transport.deliver()
  assert.ok(Math.max(...sizes) <= 65_536 + 16)
})
