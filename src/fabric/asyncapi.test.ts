import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { describe, it } from 'node:test'
import { Ajv } from 'ajv'
import { Type } from 'typebox'
import { command, event, notice, query, telemetry } from '../channel/index.ts'
import { rawBytes } from '../schema/index.ts'
import { asyncApi } from './asyncapi.ts'
import { contract } from './contract.ts'

const Place = Type.Object({ latitude: Type.Number(), longitude: Type.Number() })

const swarm = contract({
  Position: telemetry('swarm.telemetry.{region}.{agentId}', { schema: Place, key: 'agentId', partitions: 4 }),
  Frame: telemetry('swarm.frames.{agentId}', { schema: rawBytes({ contentType: 'video/h264' }) }),
  MoveTo: command('swarm.commands.{agentId}.move-to', {
    schema: Place,
    reply: Type.Object({ arrivedAt: Place }),
    startWithinMs: 2_000,
    completeWithinMs: 600_000,
    overlap: 'replace',
  }),
  Land: command('swarm.commands.{agentId}.land', { schema: Type.Object({}), startWithinMs: 500, overlap: 'replace' }),
  Sighting: event('swarm.events.sighting', { schema: Type.Object({ targetId: Type.String() }), key: 'targetId' }),
  Alert: notice('swarm.alerts', { schema: Type.Object({ text: Type.String() }) }),
  Battery: query('swarm.queries.{agentId}.battery', {
    schema: Type.Object({}),
    reply: Type.Object({ percent: Type.Number() }),
  }),
})

type Json = Record<string, unknown>

function validator() {
  const officialSchema = createRequire(import.meta.url)('@asyncapi/specs/schemas/3.0.0-without-$id.json') as Json
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false, logger: false })
  return ajv.compile(officialSchema)
}

/** Every `$ref` of the document leads somewhere within it. */
function danglingReferences(document: unknown): string[] {
  const dangling: string[] = []
  const visit = (part: unknown) => {
    if (typeof part !== 'object' || part === null) return
    const target = (part as Json).$ref
    if (typeof target === 'string' && !resolves(document, target)) dangling.push(target)
    for (const inner of Object.values(part)) visit(inner)
  }
  visit(document)
  return dangling
}

function resolves(document: unknown, reference: string): boolean {
  let part = document
  for (const step of reference.replace(/^#\//, '').split('/')) part = (part as Json | undefined)?.[step]
  return part !== undefined
}

describe('asyncApi()', () => {
  const document = asyncApi(swarm, { title: 'Test swarm', version: '1.0.0' }) as Json

  it('gives a document that the official AsyncAPI 3.0.0 schema accepts', () => {
    const validate = validator()
    assert.equal(validate(document), true, JSON.stringify(validate.errors?.slice(0, 3)))
    assert.deepEqual(danglingReferences(document), [])
  })

  it('the official schema and the reference check can fail', () => {
    const validate = validator()
    assert.equal(validate({ ...document, asyncapi: '2.0.0' }), false)
    assert.equal(validate({ ...document, operations: { x: { action: 'shout' } } }), false)
    assert.deepEqual(danglingReferences({ a: { $ref: '#/b' } }), ['#/b'])
  })

  it('says address, parameters, key, durability and deadlines of each channel', () => {
    const channels = document.channels as Record<string, Json>
    assert.equal(channels.Position!.address, 'swarm.telemetry.{region}.{agentId}')
    assert.deepEqual(Object.keys(channels.Position!.parameters as Json), ['region', 'agentId'])
    assert.deepEqual(channels.MoveTo!['x-skein'], {
      intent: 'command',
      topic: 'swarm.commands',
      type: 'swarm.commands.{agentId}.move-to',
      key: 'agentId',
      durability: 'safe',
      startWithinMs: 2_000,
      completeWithinMs: 600_000,
      overlap: 'replace',
      idempotent: false,
    })
    assert.equal(channels['MoveTo.reply']!.address, null)
  })

  it('has both sides of each channel as operations, with replies where there are some', () => {
    const operations = document.operations as Record<string, Json>
    assert.deepEqual(Object.keys(operations).sort(), [
      'answerBattery',
      'appendSighting',
      'askBattery',
      'handleLand',
      'handleMoveTo',
      'listenAlert',
      'notifyAlert',
      'processFrame',
      'processPosition',
      'processSighting',
      'publishFrame',
      'publishPosition',
      'sendLand',
      'sendMoveTo',
    ])
    assert.ok(operations.sendMoveTo!.reply)
    assert.ok(operations.askBattery!.reply)
    assert.equal(operations.sendLand!.reply, undefined)
  })
})
