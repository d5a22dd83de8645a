import assert from 'node:assert/strict'
import { test } from 'node:test'
import Type from 'typebox'
import { channelsInMemory } from '../../test/channels-in-memory.ts'
import { until } from '../../test/until.ts'
import type { Batch, Bus, Reader } from '../bus/index.ts'
import { systemClock, systemRandom } from '../core/system/index.ts'
import type { ReceivedMessage } from './consume/received-message.ts'
import { telemetry } from './telemetry.ts'

const Step = telemetry('work.{agentId}', {
  schema: Type.Object({ n: Type.Integer() }),
  key: 'agentId',
})
type Step = { n: number }
const agent = (id: string) => ({ id, type: 'rover', region: 'north', epoch: 1 })
const quickly = { retry: { delayMs: 1, delayMsMax: 5, attemptsMax: 3 } }

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index)
}

test('process() acknowledges by return: a group goes on where it was after a restart', async (t) => {
  const before = await channelsInMemory(t)
  const rover = before.channels.as(agent('rover-1'))
  await before.channels.open([Step])
  await Promise.all(range(0, 1_000).map((n) => rover.publish(Step, { n })))
  const seen: number[] = []
  const first = await before.channels.process(Step, { group: 'g' }, (message) => {
    seen.push(message.value.n)
  })
  await until(() => seen.length === 1_000)
  await first.stop()
  const after = await before.reopen()
  await after.channels.as(agent('rover-1')).publish(Step, { n: 1_000 })
  const second = await after.channels.process(Step, { group: 'g' }, async (message) => {
    seen.push(message.value.n)
  })
  await until(() => seen.length === 1_001)
  await second.stop()
  assert.deepEqual(seen, range(0, 1_001))
})

test('a throw is a retry of that message, and later messages of its key wait for it', async (t) => {
  const { channels } = await channelsInMemory(t)
  await channels.open([Step])
  const [one, other] = [channels.as(agent('one')), channels.as(agent('other'))]
  await Promise.all(range(0, 50).flatMap((n) => [one.publish(Step, { n }), other.publish(Step, { n })]))
  const done = new Map<string, number[]>([
    ['one', []],
    ['other', []],
  ])
  const attempts: number[] = []
  const processing = await channels.process(Step, { group: 'g', ...quickly }, (message) => {
    if (message.key === 'one' && message.value.n === 10) {
      attempts.push(message.attempt)
      if (message.attempt < 3) throw new Error('not yet')
    }
    done.get(message.key!)!.push(message.value.n)
  })
  await until(() => done.get('one')!.length === 50 && done.get('other')!.length === 50)
  await processing.stop()
  assert.deepEqual(attempts, [1, 2, 3])
  assert.deepEqual(done.get('one'), range(0, 50))
  assert.deepEqual(done.get('other'), range(0, 50))
})

test('process() keeps the order of each key under random failures, synchronous, asynchronous and concurrent', async (t) => {
  for (const concurrency of [1, 4]) {
    const { channels, errors } = await channelsInMemory(t)
    await channels.open([Step])
    const ids = ['a', 'b', 'c', 'd', 'e']
    const agents = ids.map((id) => channels.as(agent(id)))
    const done = new Map<string, number[]>(ids.map((id) => [id, []]))
    const handle = (message: ReceivedMessage<Step>) => {
      if (systemRandom.float() < 0.1) throw new Error('by chance')
      done.get(message.key!)!.push(message.value.n)
    }
    const processing = await channels.process(
      Step,
      { group: 'g', concurrency, retry: { delayMs: 1, delayMsMax: 3, attemptsMax: 50 } },
      (message) => {
        if (systemRandom.float() < 0.5) return handle(message)
        return systemClock.sleep(0).then(() => handle(message))
      },
    )
    for (const from of [0, 50, 100, 150]) {
      await Promise.all(range(from, from + 50).flatMap((n) => agents.map((one) => one.publish(Step, { n }))))
    }
    await until(() => ids.every((id) => done.get(id)!.length >= 200))
    await processing.stop()
    for (const id of ids) assert.deepEqual(done.get(id), range(0, 200), `${id} with concurrency ${concurrency}`)
    assert.deepEqual(errors, [])
  }
})

/** A bus whose group readers read ahead, as one over a network does. */
function readingAhead(bus: Bus): Bus {
  const reader: Bus['reader'] = (topic, options) => {
    const inner = bus.reader(topic, options)
    const ahead: Batch[] = []
    const fill = async () => {
      for (;;) {
        const batch = await inner.read({ maxMessages: 7 })
        if (batch !== null) ahead.push(batch)
        await until(() => ahead.length < 8)
      }
    }
    fill().catch(() => undefined)
    const read: Reader['read'] = async ({ signal } = {}) => {
      await until(() => ahead.length > 0 || signal?.aborted === true)
      signal?.throwIfAborted()
      return ahead.shift()!
    }
    return {
      read,
      acknowledge: (through, generation) => inner.acknowledge(through, generation),
      settle: (deliveries, how, settleOptions) => inner.settle(deliveries, how, settleOptions),
      onAssignment: (listener) => inner.onAssignment(listener),
      seek: (to) => inner.seek(to),
      end: () => inner.end(),
      lag: () => inner.lag(),
      dropped: 0,
      drain: () => inner.drain(),
      close: () => inner.close(),
    }
  }
  return {
    name: bus.name,
    open: (topic) => bus.open(topic),
    writer: (topic, options) => bus.writer(topic, options),
    reader,
    requests: bus.requests,
    admin: bus.admin,
    drain: () => bus.drain(),
    close: () => bus.close(),
  }
}

test('a retried message is not overtaken by messages that the driver had read ahead', async (t) => {
  const { bus } = await channelsInMemory(t)
  const { channels } = await channelsInMemory(t, { bus: readingAhead(bus) })
  await channels.open([Step])
  const [one, other] = [channels.as(agent('one')), channels.as(agent('other'))]
  await Promise.all(range(0, 100).flatMap((n) => [one.publish(Step, { n }), other.publish(Step, { n })]))
  const done = new Map<string, number[]>([
    ['one', []],
    ['other', []],
  ])
  const processing = await channels.process(Step, { group: 'g', ...quickly }, async (message) => {
    const { n } = message.value
    if (n % 20 === 5 && message.attempt === 1) throw new Error('by turns')
    if (message.key === 'one' && n === 50) throw new Error('for good')
    done.get(message.key!)!.push(n)
  })
  await until(() => done.get('one')!.length === 99 && done.get('other')!.length === 100)
  await processing.close()
  assert.deepEqual(
    done.get('one'),
    range(0, 100).filter((n) => n !== 50),
  )
  assert.deepEqual(done.get('other'), range(0, 100))
})

test('members of a group share its partitions, and when one leaves or crashes the others go on in order', async (t) => {
  const { channels } = await channelsInMemory(t)
  const Wide = telemetry('wide.{agentId}', {
    schema: Type.Object({ n: Type.Integer() }),
    key: 'agentId',
    partitions: 6,
  })
  await channels.open([Wide])
  const ids = range(0, 20).map((index) => `a${index}`)
  const agents = ids.map((id) => channels.as(agent(id)))
  const done = new Map<string, number[]>(ids.map((id) => [id, []]))
  const handle = async (message: ReceivedMessage<Step>) => {
    await systemClock.sleep(0)
    if (systemRandom.float() < 0.05) throw new Error('by chance')
    done.get(message.key!)!.push(message.value.n)
  }
  const options = { group: 'g', retry: { delayMs: 1, delayMsMax: 3, attemptsMax: 50 } }
  const members = [await channels.process(Wide, options, handle)]
  for (const from of range(0, 10)) {
    await Promise.all(range(from * 10, from * 10 + 10).flatMap((n) => agents.map((one) => one.publish(Wide, { n }))))
    if (from % 2 === 0) members.push(await channels.process(Wide, options, handle))
    else if (from % 4 === 1) await members.shift()!.stop()
    else await members.shift()!.close()
  }
  members.push(await channels.process(Wide, options, handle))
  await until(() => ids.every((id) => new Set(done.get(id)).size === 100))
  await Promise.all(members.map((member) => member.stop()))
  for (const id of ids) {
    const first = [...new Set(done.get(id))]
    assert.deepEqual(first, range(0, 100), `the first deliveries to ${id} ascend`)
  }
})

test('process() runs different keys at once up to the concurrency, and one key never beside itself', async (t) => {
  const { channels } = await channelsInMemory(t)
  await channels.open([Step])
  const agents = range(0, 8).map((index) => channels.as(agent(`a${index}`)))
  await Promise.all(range(0, 10).flatMap((n) => agents.map((one) => one.publish(Step, { n }))))
  const running = new Map<string, number>()
  let most = 0
  let count = 0
  const processing = await channels.process(Step, { group: 'g', concurrency: 3 }, async (message) => {
    const key = message.key!
    assert.equal(running.get(key) ?? 0, 0)
    running.set(key, 1)
    most = Math.max(most, [...running.values()].filter((one) => one > 0).length)
    await systemClock.sleep(1)
    running.set(key, 0)
    count += 1
  })
  await until(() => count === 80)
  await processing.stop()
  assert.equal(most, 3)
})

test('a message that fails too often is dead, its key goes on, and it can be replayed', async (t) => {
  const { channels } = await channelsInMemory(t)
  await channels.open([Step])
  const rover = channels.as(agent('rover'))
  await Promise.all(range(0, 5).map((n) => rover.publish(Step, { n })))
  const done: number[] = []
  let isMended = false
  const processing = await channels.process(Step, { group: 'g', ...quickly }, (message) => {
    if (message.value.n === 2 && !isMended) throw new Error('poison')
    done.push(message.value.n)
  })
  await until(() => done.length === 4)
  assert.deepEqual(done, [0, 1, 3, 4])
  const letters = await channels.deadLetters(Step)
  assert.equal(letters.length, 1)
  assert.deepEqual(
    { ...letters[0]!.origin, appendedAtMs: 0 },
    {
      topic: 'work',
      partition: 0,
      offset: 2,
      subject: 'work.rover',
      group: 'g',
      attempts: 3,
      error: 'Error: poison',
      appendedAtMs: 0,
    },
  )
  assert.equal(letters[0]!.text(), '{"n":2}')
  isMended = true
  assert.equal(await channels.replayDeadLetters(Step, { group: 'g' }), 1)
  await until(() => done.length === 5)
  assert.equal(done[4], 2)
  await processing.stop()
})

test('stored data that cannot be decoded is dead at once, with the reason, and reported', async (t) => {
  const { bus, channels, errors } = await channelsInMemory(t)
  await channels.open([Step])
  await bus.writer('work').write([{ subject: 'work.rover', value: '{"n":"x"}' }])
  await channels.publish(Step, { n: 1 }, { fields: { agentId: 'rover' } })
  const done: number[] = []
  const processing = await channels.process(Step, { group: 'g' }, (message) => {
    done.push(message.value.n)
  })
  await until(() => done.length === 1)
  await processing.stop()
  const [letter] = await channels.deadLetters(Step)
  assert.match(letter!.origin.error, /\/n must be integer/)
  assert.equal(letter!.origin.attempts, 1)
  assert.deepEqual(
    errors.map((error) => (error as { code: string }).code),
    ['schema-mismatch'],
  )
})

test('a schema error thrown by the handler itself is a failure like any other', async (t) => {
  const { channels } = await channelsInMemory(t)
  await channels.open([Step])
  const rover = channels.as(agent('rover'))
  await rover.publish(Step, { n: 1 })
  let tries = 0
  const processing = await channels.process(Step, { group: 'g', ...quickly }, async () => {
    tries += 1
    if (tries === 1) Step.value.encode({ n: 'x' } as never)
  })
  await until(() => tries === 2)
  await processing.stop()
  assert.deepEqual(await channels.deadLetters(Step), [])
})

test('stop() finishes what runs and releases the rest untried', async (t) => {
  const { channels } = await channelsInMemory(t)
  await channels.open([Step])
  const rover = channels.as(agent('rover'))
  await Promise.all(range(0, 100).map((n) => rover.publish(Step, { n })))
  const seen: Array<readonly [number, number]> = []
  const gate = Promise.withResolvers<void>()
  const first = await channels.process(Step, { group: 'g' }, async (message) => {
    seen.push([message.value.n, message.attempt])
    if (message.value.n === 5) await gate.promise
  })
  await until(() => seen.length === 6)
  const stopped = first.stop()
  gate.resolve()
  await stopped
  assert.equal(seen.length, 6)
  const second = await channels.process(Step, { group: 'g' }, (message) => {
    seen.push([message.value.n, message.attempt])
  })
  await until(() => seen.length === 100)
  await second.stop()
  assert.deepEqual(
    seen,
    range(0, 100).map((n) => [n, 1]),
  )
})

test('close() aborts the handlers and counts what they had in hand', async (t) => {
  const { channels } = await channelsInMemory(t)
  await channels.open([Step])
  await channels.as(agent('rover')).publish(Step, { n: 0 })
  const started = Promise.withResolvers<AbortSignal>()
  const first = await channels.process(Step, { group: 'g' }, (_message, { signal }) => {
    started.resolve(signal)
    return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  })
  const signal = await started.promise
  await first.close()
  assert.equal(signal.aborted, true)
  const attempts: number[] = []
  const second = await channels.process(Step, { group: 'g' }, (message) => {
    attempts.push(message.attempt)
  })
  await until(() => attempts.length === 1)
  await second.stop()
  assert.deepEqual(attempts, [2])
})

test('process() of several partitions goes on with one while a handler of another waits', async (t) => {
  const { channels } = await channelsInMemory(t)
  const Wide = telemetry('wide.{agentId}', {
    schema: Type.Object({ n: Type.Integer() }),
    key: 'agentId',
    partitions: 4,
  })
  await channels.open([Wide])
  const agents = range(0, 16).map((index) => channels.as(agent(`a${index}`)))
  await Promise.all(agents.map((one) => one.publish(Wide, { n: 0 })))
  const gate = Promise.withResolvers<void>()
  let stuck: number | undefined
  const done: number[] = []
  const processing = await channels.process(Wide, { group: 'g' }, async (message) => {
    stuck ??= message.position.partition
    if (message.position.partition === stuck) await gate.promise
    else done.push(message.position.partition)
  })
  await until(() => new Set(done).size === 3)
  gate.resolve()
  await processing.stop()
})

test('a group that fell behind the retention is told of the gap once, and goes on behind it or stops, as it says', async (t) => {
  const { bus, channels, errors } = await channelsInMemory(t, { segmentBytes: 64 * 1024, maintenanceIntervalMs: 10 })
  const Short = telemetry('short.{agentId}', {
    schema: Type.Object({ n: Type.Integer(), text: Type.String() }),
    retention: { bytes: 128 * 1024 },
  })
  await channels.open([Short])
  const rover = channels.as(agent('rover'))
  await rover.publish(Short, { n: 0, text: '' })
  for (const group of ['skips', 'stops']) {
    const handled = Promise.withResolvers<void>()
    const first = await channels.process(Short, { group }, () => handled.resolve())
    await handled.promise
    await first.stop()
  }
  for (const n of range(1, 50)) await rover.publish(Short, { n, text: 'x'.repeat(20_000) })
  while ((await bus.admin.describeTopic('short')).partitions[0]!.start.sequence < 10) await systemClock.sleep(5)
  const seen: number[] = []
  const skipping = await channels.process(Short, { group: 'skips' }, ({ value }) => seen.push(value.n))
  await until(() => seen.at(-1) === 49)
  await skipping.stop()
  assert.ok(seen.length < 50)
  const stopping = await channels.process(Short, { group: 'stops', onGap: 'stop' }, () => {})
  await assert.rejects(stopping.done, { code: 'position-gone' })
  await stopping.stop()
  assert.deepEqual(
    errors.map((error) => (error as { code: string }).code),
    ['position-gone', 'position-gone'],
  )
})

test('two channels share a topic: each reader gets its own, in its own group', async (t) => {
  const { channels } = await channelsInMemory(t)
  const schema = Type.Object({ n: Type.Integer() })
  const Battery = telemetry('shared.{agentId}', { schema, type: 'battery' })
  const Heading = telemetry('shared.{agentId}.heading', { schema, type: 'heading' })
  await channels.open([Battery, Heading])
  const rover = channels.as(agent('rover'))
  await Promise.all([
    rover.publish(Battery, { n: 1 }),
    rover.publish(Heading, { n: 2 }),
    rover.publish(Battery, { n: 3 }),
  ])
  const seen: string[] = []
  const first = await channels.process(Battery, { group: 'b' }, (message) => seen.push(`battery ${message.value.n}`))
  const second = await channels.process(Heading, { group: 'h' }, (message) => seen.push(`heading ${message.value.n}`))
  await until(() => seen.length === 3)
  assert.deepEqual(seen.toSorted(), ['battery 1', 'battery 3', 'heading 2'])
  await assert.rejects(
    channels.process(Heading, { group: 'b' }, () => {}),
    { code: 'bad-argument' },
  )
  await Promise.all([first.stop(), second.stop()])
})

test('process() with fields reads only those subjects', async (t) => {
  const { channels } = await channelsInMemory(t)
  await channels.open([Step])
  for (const id of ['one', 'other']) await channels.as(agent(id)).publish(Step, { n: 1 })
  const seen: string[] = []
  const processing = await channels.process(Step, { group: 'g', fields: { agentId: 'other' } }, (message) => {
    seen.push(message.fields().agentId!)
  })
  await until(() => seen.length === 1)
  await processing.stop()
  assert.deepEqual(seen, ['other'])
})
