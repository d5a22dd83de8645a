import assert from 'node:assert/strict'
import { test } from 'node:test'
import Type from 'typebox'
import { telemetry } from '../telemetry.ts'
import { Address } from './address.ts'

const schema = Type.Object({ latitude: Type.Number(), region: Type.Optional(Type.String()) })
const identity = { id: 'drone-7', type: 'quadrotor', region: 'north', epoch: 1 }
const Position = telemetry('swarm.telemetry.{region}.{agentId}', { schema, key: 'agentId' })

test('Address fills fields from the identity and takes the key from them', () => {
  const address = new Address(Position, identity)
  address.resolve({ latitude: 1 }, undefined)
  assert.equal(address.subject, 'swarm.telemetry.north.drone-7')
  assert.equal(address.key, 'drone-7')
})

test('Address refuses a value or a field that contradicts the identity', () => {
  const address = new Address(Position, identity)
  assert.throws(() => address.resolve({ latitude: 1, region: 'south' }, undefined), {
    code: 'bad-argument',
    message: /\{region\} is "north" by identity, the call says "south"/,
  })
  assert.throws(() => address.resolve({ latitude: 1 }, { agentId: 'drone-8' }), { code: 'bad-argument' })
  address.resolve({ latitude: 1, region: 'north' }, { agentId: 'drone-7' })
})

test('Address without an identity fills from what the call gives, then from the value, and remembers subjects', () => {
  const address = new Address(Position, undefined)
  address.resolve({ latitude: 1, region: 'south' }, { agentId: 'rover-1' })
  assert.equal(address.subject, 'swarm.telemetry.south.rover-1')
  address.resolve({ latitude: 1, region: 'south', agentId: 'rover-2' }, undefined)
  assert.equal(address.subject, 'swarm.telemetry.south.rover-2')
  address.resolve({ latitude: 1, region: 'east' }, { agentId: 'rover-1' })
  assert.equal(address.subject, 'swarm.telemetry.east.rover-1')
  address.resolve({ latitude: 1, region: 'south' }, { agentId: 'rover-1' })
  assert.equal(address.subject, 'swarm.telemetry.south.rover-1')
})

test('Address names the field that has no usable value', () => {
  const address = new Address(Position, undefined)
  assert.throws(() => address.resolve({ latitude: 1, region: 'south' }, undefined), {
    code: 'bad-subject',
    message: /\{agentId\}/,
  })
  assert.throws(() => address.resolve({ latitude: 1, region: 'a.b' }, { agentId: 'x' }), { code: 'bad-subject' })
})

test('Address forgets subjects rather than keep them without a bound', () => {
  const address = new Address(telemetry('t.{n}', { schema: Type.Object({ n: Type.Integer() }) }), undefined)
  for (let n = 0; n < 25_000; n += 1) {
    address.resolve({ n }, undefined)
    assert.equal(address.subject, `t.${n}`)
  }
})

test('Address takes a key from the value, as text, and refuses one that is missing', () => {
  const keyed = telemetry('t', { schema: Type.Object({ cell: Type.Optional(Type.Number()) }), key: 'cell' })
  const address = new Address(keyed, undefined)
  address.resolve({ cell: 12 }, undefined)
  assert.equal(address.key, '12')
  assert.throws(() => address.resolve({}, undefined), { code: 'bad-argument', message: /"cell"/ })
})
