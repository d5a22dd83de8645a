import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freePorts } from '../../services/free-ports.ts'
import { requireService } from '../../services/require-service.ts'
import { skein, skeinJson } from './skein.ts'

const LINES = 'one\ntwo\nthree\n'

/** Down: nobody listens there. */
const SCHEMES: Readonly<Record<string, (port: number) => string>> = {
  kafka: (port) => `kafka://127.0.0.1:${port}`,
  nats: (port) => `nats://127.0.0.1:${port}`,
  rabbitmq: (port) => `amqp://guest:secret@127.0.0.1:${port}`,
}

for (const [kind, urlOf] of Object.entries(SCHEMES)) {
  const service = await requireService(kind)

  test(`The commands take the URL of ${kind} as they take a node's`, { skip: service.skip }, async (t) => {
    const server = await service.start()
    t.after(() => server.stop())
    const at = ['--url', server.url]
    const written = await skeinJson<{ accepted: number }>(
      t,
      ['pub', 'cli.lines', '--lines', '--key', 'k', '--intent', 'telemetry', '--durability', 'written', ...at],
      LINES,
    )
    assert.equal(written.accepted, 3)
    const read = await skein(t, ['sub', 'cli.lines', '--from', 'earliest', '--until', 'end', '--json', ...at])
    assert.deepEqual(textsOf(read.stdout), ['one', 'two', 'three'], read.stderr)
    const group = ['sub', 'cli.lines', '--group', 'g', '--from', 'earliest', '--count', '3', '--json', ...at]
    assert.deepEqual(textsOf((await skein(t, group)).stdout), ['one', 'two', 'three'])
    const topics = await skein(t, ['topics', '--json', ...at])
    assert.match(topics.stdout, /cli\.lines/, topics.stderr)
    const lag = await skein(t, ['lag', 'cli.lines', '--json', ...at])
    assert.equal(lag.code, 0, lag.stderr)
  })

  test(`A ${kind} that is down is named by its address, without a password`, { skip: service.skip }, async (t) => {
    const [port] = await freePorts(1)
    const { code, stderr } = await skein(t, ['topics', '--url', urlOf(port!), '--connect-timeout', '300ms'])
    assert.notEqual(code, 0)
    assert.match(stderr, new RegExp(`127\\.0\\.0\\.1:${port}`))
    assert.doesNotMatch(stderr, /secret|ERR_STREAM|\n {4}at /)
  })
}

function textsOf(stdout: string): string[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { text: string }).text)
}
