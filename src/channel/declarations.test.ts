import assert from 'node:assert/strict'
import { test } from 'node:test'
import Type from 'typebox'
import type { Codec } from '../schema/index.ts'
import { command } from './command.ts'
import { event } from './event.ts'
import { notice } from './notice.ts'
import { query } from './query.ts'
import { telemetry } from './telemetry.ts'
import { topicsOf } from './topics-of.ts'

const PositionSchema = Type.Object({ latitude: Type.Number(), longitude: Type.Number() })
const Position = telemetry('swarm.telemetry.{region}.{agentId}', { schema: PositionSchema, key: 'agentId' })
const Move = command('swarm.commands.{agentId}.move-to', {
  schema: PositionSchema,
  reply: Type.Object({ arrivedAt: Type.Number() }),
  startWithinMs: 2_000,
  overlap: 'replace',
})
const Land = command('swarm.commands.{agentId}.land', {
  schema: Type.Object({}),
  startWithinMs: 500,
  overlap: 'replace',
})

function encodeOf<T>(channel: { readonly value: Codec<T> }, value: NoInfer<T>): string | Uint8Array {
  return channel.value.encode(value)
}

test('a declaration infers its value type, so that a wrong field is a compile error', () => {
  encodeOf(Position, { latitude: 1, longitude: 2 })
  // @ts-expect-error: latitude is a number
  assert.throws(() => encodeOf(Position, { latitude: '1', longitude: 2 }), { code: 'schema-mismatch' })
  // @ts-expect-error: longitude is missing
  assert.throws(() => encodeOf(Position, { latitude: 1 }), { code: 'schema-mismatch' })
  // @ts-expect-error: there is no such field
  encodeOf(Position, { latitude: 1, longitude: 2, altitude: 3 })
})

test('a declaration takes a JSON Schema literal and infers from it', () => {
  const Sighting = event('swarm.events.sighting', {
    schema: { type: 'object', required: ['targetId'], properties: { targetId: { type: 'string' } } },
    key: 'targetId',
  })
  encodeOf(Sighting, { targetId: 't' })
  // @ts-expect-error: targetId is a string
  assert.throws(() => encodeOf(Sighting, { targetId: 1 }), { code: 'schema-mismatch' })
})

test('a key is a field of the pattern or of the value', () => {
  telemetry('t.{agentId}', { schema: PositionSchema, key: 'latitude' })
  // @ts-expect-error: neither has such a field
  telemetry('t.{agentId}', { schema: PositionSchema, key: 'agent' })
})

test('command() and query() infer what they reply', () => {
  const reply: Codec<{ arrivedAt: number }> | undefined = Move.reply
  assert.equal(reply?.contentType, 'application/json')
  const none: undefined = Land.reply?.decode({ value: null, text: () => '' })
  assert.equal(none, undefined)
  const Where = query('swarm.queries.where', { schema: Type.Object({}), reply: Type.Number() })
  // @ts-expect-error: the reply is a number
  assert.throws(() => Where.reply.encode('here'), { code: 'schema-mismatch' })
})

test('command() refuses a pattern without {agentId} and a deadline that is none', () => {
  const options = { schema: Type.Object({}), startWithinMs: 500, overlap: 'queue' } as const
  assert.throws(() => command('swarm.commands.all', options), { code: 'bad-argument', message: /agentId/ })
  assert.throws(() => command('c.{agentId}', { ...options, startWithinMs: 0 }), { message: /startWithinMs/ })
})

test('command() refuses an overlap that there is not, and one that is missing', () => {
  const declare = (overlap: unknown) => () =>
    command('c.{agentId}', { schema: Type.Object({}), startWithinMs: 500, overlap: overlap as 'queue' })
  const refused = (message: RegExp) => ({ code: 'bad-argument', message })
  assert.throws(declare('replac'), refused(/overlap is "replac"; did you mean "replace"\?/))
  assert.throws(declare(undefined), refused(/overlap is missing; it must be one of "queue", "replace", "parallel"/))
  assert.throws(declare('serial'), refused(/overlap is "serial"; it must be one of "queue"/))
  assert.throws(declare(null), refused(/overlap is null; it must be one of/))
  for (const overlap of ['queue', 'replace', 'parallel']) assert.equal(declare(overlap)().overlap, overlap)
})

test('topicsOf() merges the channels of a topic and fills in nothing', () => {
  const Alert = notice('swarm.alerts', { schema: Type.String() })
  assert.deepEqual(topicsOf([Position, Move, Land, Alert]), [
    { name: 'swarm.telemetry', intent: 'telemetry' },
    { name: 'swarm.commands', intent: 'command' },
    { name: 'swarm.alerts', intent: 'notice' },
  ])
  const four = telemetry('t.{agentId}.a', { schema: PositionSchema, partitions: 4 })
  const silent = telemetry('t.{agentId}.b', { schema: PositionSchema })
  assert.deepEqual(topicsOf([silent, four]), [{ name: 't', intent: 'telemetry', partitions: 4 }])
})

test('topicsOf() names two channels that contradict each other', () => {
  const four = telemetry('t.{agentId}.a', { schema: PositionSchema, partitions: 4 })
  const eight = telemetry('t.{agentId}.b', { schema: PositionSchema, partitions: 8 })
  assert.throws(() => topicsOf([four, eight]), {
    code: 'bad-argument',
    message: /"t\.\{agentId\}\.a" and "t\.\{agentId\}\.b".*partitions is 4 in one and 8 in the other/,
  })
  const twin = telemetry('t.{agentId}.c', { schema: PositionSchema, type: 't.{agentId}.a' })
  assert.throws(() => topicsOf([four, twin]), { message: /type/ })
})
