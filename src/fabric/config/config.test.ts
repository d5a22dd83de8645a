import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { SkeinError } from '../../core/index.ts'
import { readConfig, variableName } from './config.ts'
import { bindingOf, scalarSettings } from './config-schema.ts'

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

test('A mistake is refused also where the environment or a flag overrides it', () => {
  const flags = { data: './data', 'listen.port': 0 }
  assert.match(failure(() => readConfig({ ...file('data: 5\n'), flags })).message, /skein\.yaml:1: data: /)
  assert.match(
    failure(() => readConfig({ ...file('listen:\n  port: abc\n'), flags })).message,
    /skein\.yaml:2: listen\.port/,
  )
  assert.match(failure(() => readConfig({ ...file('listen: 5\n'), flags })).message, /skein\.yaml:1: listen: /)
  const environment = { SKEIN_LISTEN_PORT: 'abc' }
  assert.match(failure(() => readConfig({ environment, flags })).message, /SKEIN_LISTEN_PORT/)
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

test('A value that does not fit is refused in words that say what it must be', () => {
  const cases: ReadonlyArray<readonly [text: string, message: RegExp]> = [
    ['data: 5', /:1: data: it must be a text, not 5$/],
    ['data: ""', /:1: data: it must not be empty$/],
    ['data: d\nlisten: 7', /:2: listen: it must be a map of settings, not 7$/],
    ['data: d\nlisten:', /:2: listen: it must be a map of settings, not empty$/],
    ['data: d\nlisten: { port: 70000 }', /:2: listen\.port: it must be at most 65535, not 70000$/],
    ['data: d\nlimits: { connections: many }', /connections: it must be a number, not "many"$/],
    ['data: d\nlimits: { connections: 0.5 }', /connections: it must be a whole number, not 0\.5$/],
    ['data: d\nlimits: { connections: 0 }', /connections: it must be at least 1, not 0$/],
    ['data: d\nswarm: { laggingSeconds: 0 }', /laggingSeconds: it must be more than 0, not 0$/],
    ['data: d\ntopics: 3', /topics: it must be a list, not 3$/],
    ['data: d\ntopics: [ { name: a } ]', /topics\.0\.intent: it is missing; it must be one of "telemetry"\|/],
    ['brokers: { k: 4 }', /brokers\.k: it must be a map of settings, not 4$/],
    ['brokers: { k: { } }', /brokers\.k\.url: it is missing; it must be a text$/],
  ]
  for (const [text, message] of cases) {
    const error = failure(() => readConfig(file(`${text}\n`)))
    assert.equal(error.code, 'bad-config')
    assert.match(error.message, message)
  }
})

test('A topic that is listed twice, and one whose name is none, are refused with file and line', () => {
  const twice = failure(() =>
    readConfig(
      file(
        'data: ./d\ntopics:\n  - { name: a.b, intent: event }\n  - name: c\n    intent: event\n  - intent: notice\n    name: a.b\n',
      ),
    ),
  )
  assert.equal(twice.code, 'bad-config')
  assert.match(twice.message, /skein\.yaml:7: topics\.2\.name: topic "a\.b" is listed twice, first as topics\.0/)
  const name = failure(() => readConfig(file('data: ./d\ntopics:\n  - name: a..b\n    intent: event\n')))
  assert.equal(name.code, 'bad-config')
  assert.match(name.message, /skein\.yaml:3: topics\.0\.name: .*"a\.\.b".*is empty/)
  assert.deepEqual(name.details, { file: 'skein.yaml', line: 3, key: 'topics.0.name' })
})

test('A misspelt key is named also where the right one is missing for it', () => {
  const topic = failure(() => readConfig(file('data: ./data\ntopics:\n  - name: a\n    itent: event\n')))
  assert.deepEqual(topic.details, { file: 'skein.yaml', line: 4, key: 'topics.0.itent', nearest: 'intent' })
  const name = failure(() => readConfig(file('data: ./data\ntopics:\n  - nmae: a\n    intent: event\n')))
  assert.deepEqual(name.details, { file: 'skein.yaml', line: 3, key: 'topics.0.nmae', nearest: 'name' })
  const deep = 'data: d\ntopics:\n  - name: a\n    intent: event\n    retention:\n      agems: 5\n'
  assert.deepEqual(failure(() => readConfig(file(deep))).details.nearest, 'ageMs')
  assert.match(failure(() => readConfig(file('dta: ./data\n'))).message, /"dta"; did you mean "data"\?/)
})

test('A list that was written as a map, and a value that is nearly a valid one, say what is wanted', () => {
  const map = failure(() => readConfig(file('data: d\ntopics:\n  swarm.events:\n    intent: event\n')))
  assert.match(map.message, /skein\.yaml:2: topics: it must be a list, not a map/)
  const value = failure(() => readConfig(file('data: d\ntopics:\n  - name: a\n    intent: telemtry\n')))
  assert.match(value.message, /skein\.yaml:4: topics\.0\.intent: "telemtry" is none of .*; did you mean "telemetry"\?/)
  assert.match(failure(() => readConfig(file('data: d\nlogLevel: 7\n'))).message, /logLevel: 7 is none of "debug"\|/)
})

test('A misspelt variable is refused with the nearest valid one', () => {
  const error = failure(() => readConfig({ environment: { SKEIN_LISEN_PORT: '1' }, flags: { data: 'd' } }))
  assert.equal(error.code, 'bad-config')
  assert.match(error.message, /unknown variable SKEIN_LISEN_PORT; did you mean SKEIN_LISTEN_PORT\?/)
  assert.deepEqual(error.details, { key: 'SKEIN_LISEN_PORT', nearest: 'SKEIN_LISTEN_PORT' })
  assert.equal(failure(() => readConfig({ environment: { SKEIN_DTA: 'd' } })).details.nearest, 'SKEIN_DATA')
})

test('What the command line or another program takes from the environment is left to them', () => {
  const environment = { SKEIN_URL: 'skein://a:1', SKEIN_SERVICE_PORT: '80', SKEIN_PORT: 'tcp://10.0.0.1:7600' }
  assert.equal(readConfig({ environment, flags: { data: 'd' } }).listen.port, 7600)
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
  assert.match(failure(() => readConfig({})).message, /data: it is not set; give --data DIR, or name brokers/)
})

test('Brokers are URLs, or URLs with settings, and each intent goes to one by its name', () => {
  const text =
    'brokers:\n  kafka: kafka://a:9092\n  nats: { url: nats://b:4222, safe: written }\nbind: { command: nats }\n'
  assert.deepEqual(bindingOf(readConfig(file(text))), {
    brokers: { kafka: { url: 'kafka://a:9092' }, nats: { url: 'nats://b:4222', safe: 'written' } },
    bind: { command: 'nats' },
  })
  assert.equal(bindingOf(readConfig({ flags: { data: './data' } })), undefined)
})

test('A mistake in the settings of a broker names its line and the nearest key', () => {
  const text = 'brokers:\n  kafka: kafka://a:9092\n  nats:\n    url: nats://b:4222\n    saef: written\n'
  assert.deepEqual(failure(() => readConfig(file(text))).details, {
    ...{ file: 'skein.yaml', line: 5, key: 'brokers.nats.saef', nearest: 'safe' },
  })
  const wrongIntent = failure(() => readConfig(file('brokers: { a: "memory:" }\nbind:\n  comand: a\n')))
  assert.deepEqual([wrongIntent.details.line, wrongIntent.details.nearest], [3, 'command'])
  assert.match(failure(() => readConfig(file('brokers:\n  a: { safe: very }\n'))).message, /skein\.yaml:2/)
})

test('A node has a log of its own or brokers, never both', () => {
  assert.match(failure(() => readConfig(file('data: ./data\nbrokers: { a: "memory:" }\n'))).message, /leave out data/)
})

test('Every setting and its environment variable is in the reference', async () => {
  const reference = await readFile(new URL('../../../docs/reference/config.md', import.meta.url), 'utf8')
  for (const { path } of scalarSettings()) {
    assert.ok(reference.includes(`\`${path.join('.')}\``), `docs/reference/config.md lacks ${path.join('.')}`)
    assert.ok(reference.includes(`\`${variableName(path)}\``), `docs/reference/config.md lacks ${variableName(path)}`)
  }
})
