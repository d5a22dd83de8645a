import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Type } from 'typebox'
import { event, telemetry } from '../channel/index.ts'
import { parseTarget } from './connect-target.ts'
import { contract } from './contract.ts'

const Schema = Type.Object({ value: Type.Number() })

describe('contract()', () => {
  it('takes the channels of a module and passes over its other exports', () => {
    const One = telemetry('a.{id}', { schema: Schema })
    const bound = contract({ One, Schema, LIMIT: 3, helper: () => 1 })
    assert.deepEqual(Object.keys(bound.channels), ['One'])
    assert.equal(bound.channels.One, One)
    // @ts-expect-error: not a channel, so not in the contract.
    assert.equal(bound.channels.Schema, undefined)
  })

  it('merges channels of one topic and refuses those that contradict each other', () => {
    const Left = event('a.left.{id}', { schema: Schema, partitions: 2 })
    const Right = event('a.left.{id}.more', { schema: Schema })
    assert.deepEqual(contract({ Left, Right }).topics, [{ name: 'a.left', intent: 'event', partitions: 2 }])
    const Other = event('a.left.{id}.other', { schema: Schema, partitions: 3 })
    assert.throws(() => contract({ Left, Other }), { code: 'bad-argument' })
  })

  it('refuses a module without channels', () => {
    assert.throws(() => contract({ Schema }), { code: 'bad-argument' })
  })
})

describe('parseTarget()', () => {
  it('reads every form', () => {
    assert.deepEqual(parseTarget('memory:'), { kind: 'memory' })
    assert.deepEqual(parseTarget('embedded:./data'), { kind: 'embedded', directory: './data' })
    assert.deepEqual(parseTarget('skein://127.0.0.1:7600'), { kind: 'remote', url: 'skein://127.0.0.1:7600' })
    assert.deepEqual(parseTarget('nats://a:4222'), {
      kind: 'brokers',
      binding: { brokers: { nats: 'nats://a:4222' } },
    })
    const binding = { brokers: { one: 'kafka://a' } }
    assert.deepEqual(parseTarget(binding), { kind: 'brokers', binding })
  })

  it('never tells a password', () => {
    assert.throws(
      () => parseTarget('redis://me:secret@host'),
      (error: Error) => !error.message.includes('secret'),
    )
  })

  it('refuses anything else and says what there is', () => {
    for (const target of ['', 'embedded:', 'redis://localhost', './data', 'skein://', 'memory']) {
      assert.throws(() => parseTarget(target), { code: 'bad-argument' }, target)
    }
    assert.throws(() => parseTarget('nats:x'), /skein:\/\/HOST:PORT/)
  })
})
