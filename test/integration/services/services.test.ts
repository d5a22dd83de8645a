import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { findService } from '../../services/find-service.ts'
import { SERVICE_KINDS } from '../../services/kinds.ts'
import { requireService } from '../../services/require-service.ts'
import { ServiceUnavailable } from '../../services/service.ts'
import { until } from '../../until.ts'

/** A server's files are many, and a busy machine deletes them slowly. */
const PATIENCE = { withinMs: 60_000, everyMs: 20 }

for (const kind of SERVICE_KINDS) {
  const service = await requireService(kind.name)

  test(`${kind.name} starts, dies, and starts again where it was`, { skip: service.skip }, async (t) => {
    const server = await service.start({ mortal: true })
    t.after(() => server.stop())
    // A store that speaks S3 names itself and not its release.
    assert.match(server.version, kind.name === 's3' ? /^\w+/ : /^\d+\.\d+/)
    const [node] = server.nodes
    await node!.kill()
    await assert.rejects(kind.version(server.url))
    await node!.start()
    assert.equal(await kind.version(server.url), server.version)
    await server.stop()
    await assert.rejects(kind.version(server.url))
  })

  test(`a process that dies leaves no ${kind.name} behind`, { skip: service.skip }, async () => {
    const child = spawn(
      process.execPath,
      [fileURLToPath(import.meta.resolve('../../services/start-and-wait.ts')), kind.name],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    const [line] = await once(createInterface({ input: child.stdout }), 'line')
    const { pid, directory } = JSON.parse(line as string) as { pid: number; directory: string }
    assert.doesNotThrow(() => process.kill(pid, 0))
    child.kill('SIGKILL')
    await until(() => isGone(() => process.kill(pid, 0)), PATIENCE)
    await until(
      () =>
        stat(directory).then(
          () => false,
          () => true,
        ),
      PATIENCE,
    )
  })
}

test('a server given by URL that does not answer is unavailable, by name', async (t) => {
  const kind = SERVICE_KINDS[0]!
  const before = process.env[kind.urlVariable]
  t.after(() => {
    if (before === undefined) delete process.env[kind.urlVariable]
    else process.env[kind.urlVariable] = before
  })
  process.env[kind.urlVariable] = 'nats://127.0.0.1:1'
  await assert.rejects(findService(kind.name), (error) => {
    assert.ok(error instanceof ServiceUnavailable)
    assert.match(error.message, new RegExp(kind.urlVariable))
    return true
  })
})

test('a service that nobody knows is refused with the names of those there are', async () => {
  await assert.rejects(requireService('fax'), /there are .*nats/)
})

function isGone(look: () => unknown): boolean {
  try {
    look()
    return false
  } catch {
    return true
  }
}
