import assert from 'node:assert/strict'
import { request } from 'node:http'
import { test } from 'node:test'
import { httpInMemory as gateway } from '../../../test/http-in-memory.ts'
import { NOT_LOOPBACK, otherOrigins } from '../../../test/near-misses.ts'
import { delegate } from '../../../testing/bus/delegate.ts'
import type { Bus } from '../../bus/index.ts'
import { ANONYMOUS, quotas } from '../../channel/index.ts'
import { systemClock } from '../../core/system/index.ts'

const EVENTS = '/v1/topics/swarm.events'
const events = { intent: 'event', durability: 'none', partitions: 2 }

test('A message published over HTTP is stored, acknowledged by what it survives, and read back', async (t) => {
  const { call } = await gateway(t)
  assert.equal((await call('PUT', EVENTS, events)).status, 200)
  const receipt = await call('POST', `${EVENTS}/messages`, {
    subject: 'swarm.events.sighting',
    key: 't1',
    id: 'e1',
    headers: { colour: 'red' },
    value: { n: 1 },
  })
  assert.equal(receipt.status, 200)
  assert.deepEqual([receipt.body.accepted, receipt.body.duplicates, receipt.body.durability], [1, [], 'none'])
  const again = await call('POST', `${EVENTS}/messages`, {
    subject: 'swarm.events.sighting',
    key: 't1',
    id: 'e1',
    value: 2,
  })
  assert.deepEqual([again.body.accepted, again.body.duplicates], [0, [0]])
  const { body } = await call('GET', `${EVENTS}/messages?from=earliest`)
  assert.equal(body.messages.length, 1)
  const [message] = body.messages
  assert.deepEqual(
    [message.subject, message.key, message.id, message.value, message.headers.colour],
    ['swarm.events.sighting', 't1', 'e1', { n: 1 }, 'red'],
  )
})

test('Batches, newline-delimited JSON, plain text and bytes are all published', async (t) => {
  const { call } = await gateway(t)
  await call('PUT', EVENTS, { ...events, partitions: 1 })
  const batch = await call('POST', `${EVENTS}/messages`, {
    messages: [{ value: 1 }, { text: 'zwei' }, { base64: '/w==' }],
  })
  assert.equal(batch.body.accepted, 3)
  const lines = await call('POST', `${EVENTS}/messages`, '{"value":4}\n\n{"value":5}\n', {
    'content-type': 'application/x-ndjson',
  })
  assert.equal(lines.body.accepted, 2)
  await call('POST', `${EVENTS}/messages?key=k`, 'six', { 'content-type': 'text/plain' })
  const { body } = await call('GET', `${EVENTS}/messages?from=earliest`)
  assert.deepEqual(
    body.messages.map((message: Record<string, unknown>) => message.value ?? message.text ?? message.base64),
    [1, 'zwei', '/w==', 4, 5, 'six'],
  )
  assert.equal(body.messages[5].key, 'k')
})

test('Numbers keep all their digits through HTTP', async (t) => {
  const { call, url } = await gateway(t)
  await call('PUT', EVENTS, events)
  await call('POST', `${EVENTS}/messages`, '{"n":12345678901234567890}', { 'content-type': 'text/plain' })
  const text = await (await fetch(`${url}${EVENTS}/messages?from=earliest`)).text()
  assert.match(text, /"value":\{"n":12345678901234567890\}/)
})

test('Polling goes on where it stopped, and waits for what is not there yet', async (t) => {
  const { call } = await gateway(t)
  await call('PUT', EVENTS, events)
  for (let n = 0; n < 5; n += 1) await call('POST', `${EVENTS}/messages`, { key: `k${n}`, value: n })
  const seen: number[] = []
  let next = 'earliest'
  for (let poll = 0; poll < 10 && seen.length < 5; poll += 1) {
    const { body } = await call('GET', `${EVENTS}/messages?max=2&from=${encodeURIComponent(next)}`)
    seen.push(...body.messages.map((message: { value: number }) => message.value))
    next = body.next
  }
  assert.deepEqual(seen.sort(), [0, 1, 2, 3, 4])
  const waiting = call('GET', `${EVENTS}/messages?waitMs=10000&from=${encodeURIComponent(next)}`)
  await call('POST', `${EVENTS}/messages`, { key: 'k9', value: 9 })
  assert.deepEqual(
    (await waiting).body.messages.map((message: { value: number }) => message.value),
    [9],
  )
  const filtered = await call('GET', `${EVENTS}/messages?from=earliest&subject=swarm.events.other`)
  assert.deepEqual(filtered.body.messages, [])
})

interface ServerSentEvent {
  readonly id: string | undefined
  readonly data: { readonly value: number } | undefined
}

/** Reads a stream until it gave so many messages, then goes away. */
async function firstEvents(
  url: string,
  count: number,
  headers: Record<string, string> = {},
): Promise<ServerSentEvent[]> {
  const gone = new AbortController()
  const response = await fetch(url, { headers, signal: gone.signal })
  assert.equal(response.status, 200)
  assert.match(response.headers.get('content-type')!, /^text\/event-stream/)
  const found: ServerSentEvent[] = []
  let text = ''
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk
    const blocks = text.split('\n\n')
    text = blocks.pop()!
    for (const block of blocks) {
      const field = (name: string) =>
        block
          .split('\n')
          .find((line) => line.startsWith(`${name}: `))
          ?.slice(name.length + 2)
      const data = field('data')
      if (data !== undefined) found.push({ id: field('id'), data: JSON.parse(data) })
    }
    if (found.length >= count) break
  }
  gone.abort()
  return found
}

test('A stream that comes back with Last-Event-ID misses nothing and repeats nothing', async (t) => {
  const { call, url } = await gateway(t)
  await call('PUT', EVENTS, events)
  const messages = Array.from({ length: 40 }, (_, n) => ({ key: `k${n % 7}`, value: n }))
  await call('POST', `${EVENTS}/messages`, { messages })
  const stream = `${url}${EVENTS}/stream?from=earliest`
  const first = (await firstEvents(stream, 10)).slice(0, 10)
  const rest = await firstEvents(stream, 30, { 'last-event-id': first.at(-1)!.id! })
  const values = [...first, ...rest].map((event) => event.data!.value)
  assert.deepEqual(
    values.toSorted((a, b) => a - b),
    messages.map(({ value }) => value),
  )
})

test('A stream sends what comes later, and says now and then that it is still there', async (t) => {
  const { call, url } = await gateway(t)
  await call('PUT', EVENTS, events)
  const gone = new AbortController()
  const response = await fetch(`${url}${EVENTS}/stream?heartbeatMs=100`, { signal: gone.signal })
  let text = ''
  let published = false
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk
    if (!published && text.includes(': still here')) {
      published = true
      await call('POST', `${EVENTS}/messages`, { value: 'later' })
    }
    if (text.includes('"later"')) break
  }
  gone.abort()
  assert.match(text, /^: ready\nid: 0:0,1:0\n\n/)
})

test('A group streamed over HTTP shares its messages and goes on where it was', async (t) => {
  const { clock, call, url } = await gateway(t)
  await call('PUT', EVENTS, { ...events, partitions: 1 })
  await call('POST', `${EVENTS}/messages`, { messages: [{ value: 1 }, { value: 2 }] })
  const stream = `${url}${EVENTS}/stream?group=g&heartbeatMs=100`
  assert.deepEqual(
    (await firstEvents(stream, 2)).map((event) => event.data!.value),
    [1, 2],
  )
  // The node may notice only later that the first stream is gone: what that one still took is not sent again.
  let isOver = false
  const next = firstEvents(stream, 1).finally(() => {
    isOver = true
  })
  for (let value = 3; !isOver; value += 1) {
    await call('POST', `${EVENTS}/messages`, { value })
    await clock.sleep(50)
  }
  assert.ok((await next)[0]!.data!.value >= 3)
})

test('What is streamed to a group is acknowledged after it was sent, never before', async (t) => {
  const { promise: seen, resolve: onSeen } = Promise.withResolvers<void>()
  const acknowledged: number[] = []
  const wrap = (bus: Bus) =>
    delegate(bus, {
      reader(topic, options) {
        const reader = bus.reader(topic, options)
        return delegate(reader, {
          async acknowledge(through, generation) {
            await seen
            acknowledged.push(through.sequence)
            await reader.acknowledge(through, generation)
          },
        })
      },
    })
  const { call, url, clock } = await gateway(t, { wrap })
  await call('PUT', EVENTS, { ...events, partitions: 1 })
  await call('POST', `${EVENTS}/messages`, { value: 1 })
  const response = await fetch(`${url}${EVENTS}/stream?group=g`)
  let text = ''
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk
    if (text.includes('data:')) break
  }
  assert.deepEqual(acknowledged, [])
  onSeen()
  while (acknowledged.length === 0) await clock.sleep(5)
})

test('Draining ends streams and refuses what comes after', async (t) => {
  const { call, http, url } = await gateway(t)
  await call('PUT', EVENTS, events)
  const response = await fetch(`${url}${EVENTS}/stream`)
  await http.drain()
  assert.match(await response.text(), /^: ready/)
  await assert.rejects(fetch(`${url}/v1/topics`))
})

test('Errors are problems with a stable code, a status and what to do', async (t) => {
  const { call } = await gateway(t, { bodyBytesMax: 2_000 })
  await call('PUT', EVENTS, events)
  await call('PUT', '/v1/topics/c', { intent: 'command', durability: 'none' })
  const cases: ReadonlyArray<readonly [Parameters<typeof call>, number, string, RegExp]> = [
    [['GET', '/nowhere'], 404, 'not-found', /openapi/],
    [['GET', '/v1/topics/none'], 404, 'not-found', /none/],
    [['POST', '/v1/topics/none/messages', { value: 1 }], 404, 'not-found', /none/],
    [
      ['GET', '/v1/topics/swarm.evnts'],
      404,
      'not-found',
      /did you mean "swarm\.events".*PUT \/v1\/topics\/swarm\.evnts$/,
    ],
    [['POST', `${EVENTS}/messages`, '{"value":'], 400, 'bad-input', /JSON/],
    [['POST', `${EVENTS}/messages`, { value: 1, colour: 2 }], 400, 'bad-argument', /"colour"/],
    [['POST', `${EVENTS}/messages`, { messages: [{ value: 1 }, {}] }], 400, 'bad-argument', /message 1/],
    [['POST', `${EVENTS}/messages`, { messages: [] }], 400, 'bad-argument', /at least one/],
    [
      ['POST', `${EVENTS}/messages`, '{"value":1}\n{', { 'content-type': 'application/x-ndjson' }],
      400,
      'bad-input',
      /line 2/,
    ],
    [['POST', `${EVENTS}/messages`, { value: 'x'.repeat(3_000) }], 413, 'message-too-large', /httpBodyBytes/],
    [['POST', `${EVENTS}/messages`, '<a/>', { 'content-type': 'text/xml' }], 415, 'bad-argument', /text\/plain/],
    [['POST', `${EVENTS}/messages`, { subject: 'swarm.events..x', value: 1 }], 400, 'bad-subject', /empty/],
    [['POST', `${EVENTS}/messages?durability=durable`, { value: 1 }], 422, 'unsupported', /durable/],
    [['PUT', EVENTS, { ...events, partitions: 9 }], 400, 'bad-argument', /partitions/],
    [['PUT', EVENTS, { ...events, partitons: 9 }], 400, 'bad-argument', /"partitons".*did you mean "partitions"/],
    [['PUT', '/v1/topics/skein.mine', events], 403, 'unauthorised', /Skein's own/],
    [['POST', '/v1/topics/skein.roster/messages', { value: 1 }], 403, 'unauthorised', /Skein's own/],
    [['PUT', '/v1/topics/a..b', events], 400, 'bad-subject', /empty/],
    [['GET', `${EVENTS}/messages?from=tomorrow`], 400, 'bad-argument', /tomorrow/],
    [['GET', `${EVENTS}/messages?from=0:999999`], 410, 'position-gone', /ends at 0/],
    [['GET', `${EVENTS}/messages?from=9:0`], 400, 'bad-argument', /its partitions are 0 to 1/],
    [['GET', `${EVENTS}/messages?from=0:0,0:0`], 400, 'bad-argument', /named twice/],
    [['GET', `${EVENTS}/messages?from=region%205`], 400, 'bad-argument', /region 5/],
    [['GET', `${EVENTS}/stream?from=9:0`], 400, 'bad-argument', /its partitions are 0 to 1/],
    [['GET', `${EVENTS}/stream?from=0:999999`], 410, 'position-gone', /ends at 0/],
    [['GET', '/v1/lag?topic=swarm.events&group=nobody'], 404, 'not-found', /nobody/],
    [['GET', '/v1/lag?group=nobody'], 404, 'not-found', /nobody/],
    [['GET', '/v1/topics/none/dead-letters'], 404, 'not-found', /none/],
    [['GET', `${EVENTS}/messages?max=0`], 400, 'bad-argument', /max/],
    [['GET', `${EVENTS}/messages?colour=1`], 400, 'bad-argument', /colour/],
    [['GET', '/v1/agents/drone-7'], 404, 'unknown-agent', /drone-7/],
    [
      ['POST', '/v1/commands', { command: 'c.{agentId}.go', target: 'drone-7', value: {}, startWithinMs: 100 }],
      404,
      'unknown-agent',
      /drone-7/,
    ],
    [
      ['POST', '/v1/commands', { command: 'c.go', target: 'drone-7', value: {}, startWithinMs: 100 }],
      400,
      'bad-argument',
      /agentId/,
    ],
  ]
  for (const [request, status, code, detail] of cases) {
    const answer = await call(...request)
    const told = `${request.slice(0, 2).join(' ')}: ${JSON.stringify(answer.body)}`
    assert.equal(answer.status, status, told)
    assert.equal(answer.body.code, code, told)
    assert.equal(answer.body.type, `urn:skein:error:${code}`)
    assert.match(answer.body.detail, detail)
    assert.match(answer.type!, /^application\/problem\+json/)
  }
})

test('What stands beside the messages of a batch is refused, with where it belongs', async (t) => {
  const { call } = await gateway(t)
  await call('PUT', EVENTS, events)
  for (const [beside, says] of [
    [{ durabilty: 'quorum-durable' }, /unknown field "durabilty".*did you mean "durability" in the query/],
    [{ colour: 2 }, /unknown field "colour".*"messages" alone/],
  ] as const) {
    const answer = await call('POST', `${EVENTS}/messages`, { messages: [{ value: 1 }], ...beside })
    assert.deepEqual([answer.status, answer.body.code], [400, 'bad-argument'])
    assert.match(answer.body.detail, says)
  }
})

/** As fetch, but with any Host header. */
function statusWith(url: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    request(`${url}/v1/topics`, { headers }, (response) => {
      response.resume()
      resolve(response.statusCode!)
    })
      .on('error', reject)
      .end()
  })
}

test('A web page of another origin, and another host name for this machine, are refused', async (t) => {
  const { url } = await gateway(t)
  const { host } = new URL(url)
  assert.equal(await statusWith(url, {}), 200)
  assert.equal(await statusWith(url, { origin: url }), 200)
  assert.equal(await statusWith(url, { origin: 'https://example.org' }), 403)
  assert.equal(await statusWith(url, { origin: 'null' }), 403)
  assert.equal(await statusWith(url, { host: 'example.org' }), 403)
  assert.equal(await statusWith(url, { host: `localhost:${new URL(url).port}` }), 200)
  assert.equal(await statusWith(url, { host: `${host}.example.org` }), 403)
})

test('Host names that only look like loopback are refused, and every loopback name is served', async (t) => {
  const { url } = await gateway(t)
  const { port } = new URL(url)
  for (const host of NOT_LOOPBACK) assert.equal(await statusWith(url, { host: `${host}:${port}` }), 403, host)
  for (const host of ['127.0.0.1', '127.9.8.7', 'localhost', 'LocalHost', '[::1]']) {
    assert.equal(await statusWith(url, { host: `${host}:${port}` }), 200, host)
  }
})

test('Web pages of other origins on this machine are refused, by port and by name', async (t) => {
  const { url } = await gateway(t)
  for (const origin of otherOrigins(url)) assert.equal(await statusWith(url, { origin }), 403, origin)
  const named = { host: `localhost:${new URL(url).port}`, origin: `http://localhost:${new URL(url).port}` }
  assert.equal(await statusWith(url, named), 200)
  assert.equal(await statusWith(url, { ...named, origin: url }), 403)
})

test('The OpenAPI document describes every route', async (t) => {
  const { call } = await gateway(t)
  const { body } = await call('GET', '/openapi.json')
  assert.equal(body.openapi, '3.1.0')
  const operations = Object.entries<Record<string, { operationId: string }>>(body.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(
      ([method, { operationId }]) => [`${method.toUpperCase()} ${path}`, operationId] as const,
    ),
  )
  const expected = [
    'DELETE /v1/logs/{log}/members/{member}',
    'GET /health/live',
    'GET /health/ready',
    'GET /health/startup',
    'GET /v1/agents',
    'GET /v1/agents/{agent}',
    'POST /v1/commands',
    'POST /v1/logs/{log}/entries',
    'POST /v1/logs/{log}/members',
    'POST /v1/logs/{log}/snapshot',
    'POST /v1/logs/{log}/transfer',
    'GET /v1/commands/{intentId}',
    'GET /v1/lag',
    'GET /v1/logs',
    'GET /v1/logs/{log}',
    'GET /v1/logs/{log}/entries',
    'GET /v1/topics',
    'GET /v1/topics/{topic}',
    'PUT /v1/topics/{topic}',
    'GET /v1/topics/{topic}/dead-letters',
    'POST /v1/topics/{topic}/dead-letters/replay',
    'GET /v1/topics/{topic}/messages',
    'POST /v1/topics/{topic}/messages',
    'GET /v1/topics/{topic}/stream',
  ]
  assert.deepEqual(operations.map(([route]) => route).sort(), expected.sort())
  assert.equal(new Set(operations.map(([, id]) => id)).size, expected.length)
})

test('Messages and commands over quota are answered with 429, when to try again, and the code', async (t) => {
  const admission = quotas({
    clock: systemClock,
    principals: { named: { [ANONYMOUS]: { messagesPerSecond: 1, burstSeconds: 3 } } },
    delayMsMax: 0,
  })
  const { call } = await gateway(t, { admission })
  await call('PUT', EVENTS, events)
  const batch = (length: number) => ({ messages: Array.from({ length }, () => ({ value: 1 })) })
  const tooMany = await call('POST', `${EVENTS}/messages`, batch(4))
  assert.deepEqual([tooMany.status, tooMany.body.code, tooMany.body.retryable], [429, 'quota-exceeded', false])
  assert.equal(tooMany.headers.get('retry-after'), null)
  assert.equal((await call('POST', `${EVENTS}/messages`, batch(3))).status, 200)
  const refused = await call('POST', `${EVENTS}/messages`, batch(3))
  assert.deepEqual([refused.status, refused.body.code, refused.body.retryable], [429, 'quota-exceeded', true])
  assert.ok(Number(refused.headers.get('retry-after')) >= 2)
  const command = { command: 'swarm.commands.{agentId}.land', target: 'drone-7', value: {}, startWithinMs: 1_000 }
  const sent = await call('POST', '/v1/commands', command)
  assert.deepEqual([sent.status, sent.body.code], [429, 'quota-exceeded'])
  const { body } = await call('GET', `${EVENTS}/messages?from=earliest`)
  assert.equal(body.messages.length, 3)
})
