import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { SkeinError } from '../core/index.ts'
import { readConfig, variableName } from './config.ts'
import { scalarSettings } from './config-schema.ts'

function failure(action: () => unknown): SkeinError {
  try {
    action()
  } catch (error) {
    assert.ok(error instanceof SkeinError)
    return error
  }
  assert.fail('it was accepted')
}

const file = (text: string) => ({ file: { name: 'skein.yaml', text } })

test('readConfig() fills in the defaults', () => {
  const config = readConfig({ flags: { data: './data' } })
  assert.equal(config.listen.host, '127.0.0.1')
  assert.equal(config.listen.port, 7600)
  assert.equal(config.log.sync, 'group')
  assert.deepEqual(config.topics, [])
})

test('readConfig() takes the file over defaults, the environment over the file, and flags over all', () => {
  const sources = {
    ...file('data: ./from-file\nlisten:\n  port: 1000\n  host: localhost\nlogLevel: debug\n'),
    environment: { SKEIN_LISTEN_PORT: '2000', SKEIN_DATA: './from-environment' },
    flags: { 'listen.port': 3000, 'listen.host': undefined },
  }
  const config = readConfig(sources)
  assert.equal(config.data, './from-environment')
  assert.equal(config.listen.port, 3000)
  assert.equal(config.listen.host, 'localhost')
  assert.equal(config.logLevel, 'debug')
})

test('An unknown key is refused with file, line, key and the nearest valid key', () => {
  const error = failure(() => readConfig(file('data: ./data\n# a comment\nlisen:\n  port: 1\n')))
  assert.equal(error.code, 'bad-config')
  assert.match(error.message, /skein\.yaml:3/)
  assert.match(error.message, /"lisen".*"listen"/)
  assert.deepEqual(error.details, { file: 'skein.yaml', line: 3, key: 'lisen', nearest: 'listen' })
})

test('An unknown key deep inside names its whole path and line', () => {
  const nested = failure(() => readConfig(file('data: ./data\nlimits:\n  connections: 5\n  conections: 6\n')))
  assert.deepEqual(nested.details, { file: 'skein.yaml', line: 4, key: 'limits.conections', nearest: 'connections' })
  const inTopic = failure(() =>
    readConfig(file('data: ./data\ntopics:\n  - name: a.b\n    intent: event\n    partitons: 3\n')),
  )
  assert.deepEqual(inTopic.details, { file: 'skein.yaml', line: 5, key: 'topics.0.partitons', nearest: 'partitions' })
})

test('An unknown key with nothing near lists what is valid', () => {
  const error = failure(() => readConfig(file('data: ./data\nxyzzy: 1\n')))
  assert.match(error.message, /valid here: data, listen/)
})

test('A value of the wrong kind names file, line and key', () => {
  const error = failure(() => readConfig(file('data: ./data\nlisten:\n  port: seven\n')))
  assert.match(error.message, /skein\.yaml:3: listen\.port: .*number/)
  assert.equal(error.details.line, 3)
})

test('A wrong value in a variable or a flag names that variable or flag', () => {
  const byVariable = failure(() => readConfig({ environment: { SKEIN_LISTEN_PORT: 'many' }, flags: { data: 'd' } }))
  assert.match(byVariable.message, /SKEIN_LISTEN_PORT/)
  const byFlag = failure(() => readConfig({ flags: { data: 'd', 'listen.port': 70_000 } }))
  assert.match(byFlag.message, /--port/)
})

test('Broken YAML names file and line, and so does a file that is no map', () => {
  const broken = failure(() => readConfig(file('data: ./data\nlisten: [1, 2\nlog:\n')))
  assert.equal(broken.code, 'bad-config')
  assert.match(broken.message, /skein\.yaml:\d/)
  assert.equal(failure(() => readConfig(file('data: a\ndata: b\n'))).details.line, 2)
  assert.match(failure(() => readConfig(file('- a\n- b\n'))).message, /must be a map/)
})

test('A missing data directory says how to give one', () => {
  assert.match(failure(() => readConfig({})).message, /data: it is not set; give --data DIR/)
})

test('Every setting and its environment variable is in the reference', async () => {
  const reference = await readFile(new URL('../../docs/reference/config.md', import.meta.url), 'utf8')
  for (const { path } of scalarSettings()) {
    assert.ok(reference.includes(`\`${path.join('.')}\``), `docs/reference/config.md lacks ${path.join('.')}`)
    assert.ok(reference.includes(`\`${variableName(path)}\``), `docs/reference/config.md lacks ${variableName(path)}`)
  }
})
