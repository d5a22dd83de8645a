import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nodeUrl } from './node-url.ts'

test('nodeUrl() takes every form of a node address', () => {
  for (const [given, meant] of [
    ['skein://127.0.0.1:7600', 'skein://127.0.0.1:7600'],
    ['http://127.0.0.1:41234', 'skein://127.0.0.1:41234'],
    ['http://127.0.0.1:41234/', 'skein://127.0.0.1:41234'],
    ['ws://localhost:9', 'skein://localhost:9'],
    ['localhost:9', 'skein://localhost:9'],
    ['localhost', 'skein://localhost:7600'],
    ['skein://localhost:80', 'skein://localhost:80'],
    ['http://localhost', 'skein://localhost:80'],
    ['[::1]:7600', 'skein://[::1]:7600'],
  ] as const) {
    assert.equal(nodeUrl(given), meant, given)
  }
})

test('nodeUrl() refuses what names no node', () => {
  for (const given of ['', 'ftp://a', 'http://', 'http://a/b', 'skein://user@a', 'a b', 'http://a:99999']) {
    assert.throws(() => nodeUrl(given), { code: 'bad-argument' }, given)
  }
})
