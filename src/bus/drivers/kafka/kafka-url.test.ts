import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseKafkaUrl } from './kafka-url.ts'

test('brokers are read from the URL, with the default port where there is none', () => {
  assert.deepEqual(parseKafkaUrl('kafka://a:1'), [{ host: 'a', port: 1 }])
  assert.deepEqual(parseKafkaUrl('kafka://a,b.example:19092/'), [
    { host: 'a', port: 9092 },
    { host: 'b.example', port: 19092 },
  ])
  assert.deepEqual(parseKafkaUrl('kafka://[::1]:9'), [{ host: '::1', port: 9 }])
})

test('anything else is refused with bad-argument, and no secret is repeated', () => {
  for (const url of ['', 'a:1', 'kafka://', 'kafka://a:0', 'kafka://a:b', 'kafka://a,', 'kafka://a/b', 'http://a']) {
    assert.throws(() => parseKafkaUrl(url), { code: 'bad-argument' }, url)
  }
  assert.throws(
    () => parseKafkaUrl('kafka://me:geheim@a:1'),
    (error: Error) => !error.message.includes('geheim') && /sasl/.test(error.message),
  )
})
