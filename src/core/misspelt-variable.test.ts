import assert from 'node:assert/strict'
import { test } from 'node:test'
import { misspeltVariable } from './misspelt-variable.ts'

const KNOWN = ['SKEIN_DATA', 'SKEIN_LISTEN_HOST', 'SKEIN_LISTEN_PORT', 'SKEIN_LOG_SYNC', 'SKEIN_URL']

test('misspeltVariable() finds a variable that is nearly a known one', () => {
  for (const [name, meant] of [
    ['SKEIN_LISEN_PORT', 'SKEIN_LISTEN_PORT'],
    ['SKEIN_LISTENPORT', 'SKEIN_LISTEN_PORT'],
    ['SKEIN_DTAA', 'SKEIN_DATA'],
    ['SKEIN_ULR', 'SKEIN_URL'],
    ['SKIEN_URL', 'SKEIN_URL'],
    ['SKEINDATA', 'SKEIN_DATA'],
    ['skein_data', 'SKEIN_DATA'],
  ] as const) {
    assert.deepEqual(misspeltVariable({ [name]: 'x' }, KNOWN), { name, nearest: meant })
  }
})

test('misspeltVariable() passes over known variables, empty ones, and those of other programs', () => {
  const others = [
    'SKEIN_PORT',
    'SKEIN_SERVICE_HOST',
    'SKEIN_SERVICE_PORT',
    'SKEIN_PORT_7600_TCP_ADDR',
    'SKEIN_NATS_URL',
  ]
  const environment = Object.fromEntries(
    [...KNOWN, ...others, 'PATH', 'DATA', 'URL', 'SHELL', 'LISTEN_PORT'].map((name) => [name, 'x']),
  )
  assert.equal(misspeltVariable({ ...environment, SKEIN_DTAA: '', SKEIN_ULR: undefined }, KNOWN), undefined)
})
