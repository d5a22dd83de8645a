import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Type } from 'typebox'
import { rawBytes } from '../schema/index.ts'
import { command } from './command.ts'
import { event } from './event.ts'
import { query } from './query.ts'
import { telemetry } from './telemetry.ts'

const Place = Type.Object({ latitude: Type.Number() })
const Position = telemetry('swarm.telemetry.{agentId}', { schema: Place })
const MoveTo = command('swarm.commands.{agentId}.go', {
  schema: Place,
  reply: Type.Object({ tookMs: Type.Integer() }),
  startWithinMs: 100,
  overlap: 'queue',
})

test('A value that does not fit is refused with the channel, the path and the reason', () => {
  assert.throws(() => Position.value.encode({ latitude: 'north' } as never), {
    code: 'schema-mismatch',
    message: 'Cannot encode a value of channel "swarm.telemetry.{agentId}": /latitude must be number',
    details: { channel: 'swarm.telemetry.{agentId}', what: 'value', path: '/latitude', why: 'must be number' },
  })
  assert.throws(() => Position.value.decode(Buffer.from('{}')), {
    message: 'Cannot decode a value of channel "swarm.telemetry.{agentId}": /latitude is missing',
  })
})

test('A reply that does not fit says that it is the reply', () => {
  assert.throws(() => MoveTo.reply?.encode({ tookMs: 0.5 }), {
    message: 'Cannot encode a reply of channel "swarm.commands.{agentId}.go": /tookMs must be integer',
  })
  const Ask = query('swarm.ask.{agentId}', { schema: Place, reply: Place })
  assert.throws(() => Ask.reply.decode(Buffer.from('x')), {
    message: /a reply of channel "swarm\.ask\.\{agentId\}": .*no JSON/,
  })
})

test('Codecs of other formats are named too, and their own fields stay', () => {
  const codec = rawBytes({ contentType: 'video/h264' })
  const Video = event('swarm.video', { schema: codec })
  const { format, contentType, schemaId, schema } = codec
  assert.deepEqual({ ...Video.value }, { format, contentType, schemaId, schema })
  assert.throws(() => Video.value.encode('text' as never), {
    message: /channel "swarm\.video": the value must be bytes/,
  })
})

test('A schema that is none is refused with the channel that declares it', () => {
  assert.throws(() => event('swarm.bad', { schema: { type: 'nonsense' } as never }), {
    code: 'bad-argument',
    message: /^Cannot declare the value of channel "swarm\.bad": /,
  })
})
