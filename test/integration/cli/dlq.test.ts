import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectRemoteBus } from '../../../src/bus/drivers/remote/index.ts'
import { systemClock, systemRandom } from '../../../src/core/system/index.ts'
import { skein, skeinJson, startNode, temporaryDirectory } from './skein.ts'

test('Dead letters are listed with why and whence, and replayed to where they came from', async (t) => {
  const node = await startNode(t, await temporaryDirectory(t))
  const at = ['--url', node.url]
  await skeinJson(t, ['pub', 'a.b', '--lines', '--key', 'k', ...at], 'good\nbad\n')
  assert.equal((await skein(t, ['dlq', 'list', 'a.b', ...at])).stdout, '')

  const bus = await connectRemoteBus({ url: node.url, clock: systemClock, random: systemRandom })
  t.after(() => bus.close())
  const reader = bus.reader('a.b', { mode: 'group', group: 'g' })
  const seen: string[] = []
  while (seen.length < 2) {
    const batch = (await reader.read())!
    for (const delivery of batch.deliveries) {
      seen.push(delivery.text())
      if (delivery.text() === 'bad') await reader.settle([delivery], 'dead', { error: 'it is bad' })
    }
    await reader.acknowledge(batch.last, batch.generation)
  }

  const listed = await skein(t, ['dlq', 'list', 'a.b', '--json', ...at])
  const letters = listed.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  assert.equal(letters.length, 1)
  assert.equal(letters[0].text, 'bad')
  assert.ok(Object.values(letters[0].headers).includes('it is bad'))
  assert.equal(letters[0].replayed, false)
  await overHttp(node.url)
  const doctor = async () =>
    (await skeinJson<{ findings: Finding[] }>(t, ['doctor', ...at])).findings.filter(
      ({ state }) => state === 'attention',
    )
  const [finding] = await doctor()
  const hint = /^1 dead letter that was not replayed: skein (dlq list .*)$/.exec(finding?.detail ?? '')
  assert.ok(hint, `the hint is ${finding?.detail}`)
  assert.match((await skein(t, hint[1]!.split(' '))).stdout, /it is bad/)
  assert.deepEqual(await skeinJson(t, ['dlq', 'replay', 'a.b', '--group', 'other', ...at]), {
    topic: 'a.b',
    replayed: 0,
  })
  assert.deepEqual(await skeinJson(t, ['dlq', 'replay', 'a.b', '--group', 'g', ...at]), { topic: 'a.b', replayed: 1 })
  const again = (await reader.read({ waitMs: 10_000 }))!
  assert.deepEqual(
    again.deliveries.map((delivery) => delivery.text()),
    ['bad'],
  )
  assert.equal(JSON.parse((await skein(t, ['dlq', 'list', 'a.b', ...at])).stdout).replayed, true)
  assert.deepEqual(await doctor(), [])
  assert.equal((await skein(t, ['dlq', 'list', 'nowhere', ...at])).code, 4)
})

interface Finding {
  readonly state: string
  readonly detail: string
}

interface Letters {
  readonly topic: string
  readonly letters: ReadonlyArray<{ readonly text: string; readonly headers: Readonly<Record<string, string>> }>
  readonly next?: string
}

async function overHttp(url: string): Promise<void> {
  const list = async (path: string) => (await (await fetch(`${url}/v1/topics/${path}`)).json()) as Letters
  const { topic, letters, next } = await list('a.b/dead-letters')
  assert.equal(topic, 'a.b')
  assert.deepEqual(
    letters.map(({ text, headers }) => [text, headers.skeindeaderror, headers.skeindeadgroup, headers.skeindeadtopic]),
    [['bad', 'it is bad', 'g', 'a.b']],
  )
  assert.deepEqual((await list(`a.b/dead-letters?from=${next}`)).letters, [])
  assert.deepEqual((await list('a.b/dead-letters?group=other')).letters, [])
  assert.deepEqual(await list('skein.dead.a.b/dead-letters'), { topic: 'skein.dead.a.b', letters: [] })
}
