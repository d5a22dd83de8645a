import assert from 'node:assert/strict'
import { Agent, request } from 'node:http'
import { test } from 'node:test'
import { httpInMemory } from '../../../test/http-in-memory.ts'
import { joinSwarm } from '../../swarm/index.ts'

/** Posts over a connection of its own that is kept, and gives the status. */
function post(connection: Agent, url: string, body: unknown): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' }
    request(`${url}/v1/commands`, { method: 'POST', agent: connection, headers }, (response) => {
      response.resume()
      response.on('end', () => resolve(response.statusCode!))
    })
      .on('error', reject)
      .end(JSON.stringify(body))
  })
}

test('Commands of one connection that wait for their outcomes are bounded in bytes, and others are not kept back', async (t) => {
  const { bus, url, call, clock, random } = await httpInMemory(t, { pendingBytesMax: 100_000 })
  await call('PUT', '/v1/topics/swarm.commands', { intent: 'command', durability: 'none' })
  const description = { id: 'drone-7', type: 'quadrotor', region: 'north' }
  const agent = await joinSwarm({ requests: bus.requests, clock, random, description })
  t.after(() => agent.close())
  const [one, other] = [0, 1].map(() => new Agent({ keepAlive: true, maxSockets: 1 }))
  t.after(() => {
    one!.destroy()
    other!.destroy()
  })
  // Nobody handles it: it waits, longer than its request does.
  const command = {
    command: 'swarm.commands.{agentId}.go',
    target: 'drone-7',
    value: 'x'.repeat(30_000),
    ...{ startWithinMs: 60_000, waitMs: 0 },
  }
  const statuses: number[] = []
  for (let n = 0; n < 5; n += 1) statuses.push(await post(one!, url, command))
  assert.deepEqual(statuses, [202, 202, 202, 503, 503])
  assert.equal(await post(other!, url, command), 202)
})

test('The outcome of a command that nobody knows is 404, and the types that are taken are named', async (t) => {
  const { call } = await httpInMemory(t)
  const unknown = await call('GET', '/v1/commands/nobody-knows')
  assert.deepEqual([unknown.status, unknown.body.code], [404, 'not-found'])
  assert.match(unknown.body.detail, /nobody-knows/)
  const media = await call('PUT', '/v1/topics/a.b', '<a/>', { 'content-type': 'text/xml' })
  assert.deepEqual([media.status, media.body.code], [415, 'bad-argument'])
  assert.match(media.body.detail, /this takes application\/json$/)
})
