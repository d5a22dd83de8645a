import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkListenHost } from './listen-address.ts'

test('checkListenHost() lets only loopback addresses through', () => {
  for (const host of ['127.0.0.1', '127.8.9.10', 'localhost', '::1']) checkListenHost(host)
  for (const host of ['0.0.0.0', '::', '192.168.1.1', 'example.org', '', '127.0.0.1.example.org', '1127.0.0.1']) {
    assert.throws(() => checkListenHost(host), { code: 'unauthorised' }, host)
  }
})
