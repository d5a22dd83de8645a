import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resolveTopic } from '../../kit/index.ts'
import { newLogTopic } from './log-topic.ts'
import { featuresOf } from './server-version.ts'
import { checkSupported, streamConfig } from './stream-config.ts'

const SETTINGS = resolveTopic({ name: 'a', intent: 'telemetry' })
const TIMED = resolveTopic({ name: 'a', intent: 'telemetry', ttlMs: 1_000 })

test('featuresOf() knows what came with which version, also of versions before their release', () => {
  assert.deepEqual(featuresOf('2.10.29'), { messageTtl: false, fastIngest: false })
  assert.deepEqual(featuresOf('2.11.0-dev'), { messageTtl: true, fastIngest: false })
  assert.deepEqual(featuresOf('2.14.0'), { messageTtl: true, fastIngest: true })
  assert.deepEqual(featuresOf('3.0.0'), { messageTtl: true, fastIngest: true })
})

test('a server that is too old for a time to live is named when a topic asks for one, and says so in its capabilities', () => {
  const features = featuresOf('2.10.29')
  assert.throws(() => checkSupported(TIMED, 1, features), { code: 'unsupported', message: /older than 2\.11/ })
  checkSupported(TIMED, 1, featuresOf('2.11.0'))
  checkSupported(SETTINGS, 1, features)
  const topic = newLogTopic(SETTINGS, { replicas: 1, syncAlways: false, features, takesBatches: false })
  assert.equal(topic.capabilities.ttl, 'none')
})

test('an older server is not asked for what it does not know', () => {
  const of = (version: string) => streamConfig(SETTINGS, { partition: 0, replicas: 1, features: featuresOf(version) })
  assert.deepEqual([of('2.10.29').allow_msg_ttl, of('2.10.29').allow_batched], [undefined, undefined])
  assert.deepEqual([of('2.15.2').allow_msg_ttl, of('2.15.2').allow_batched], [true, true])
})
