import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { temporaryDirectory } from './skein.ts'

const COMMAND = fileURLToPath(new URL('../../../bin/skein.mjs', import.meta.url))

/** Stands for the launcher: this process, with the channel that bin/skein.mjs keeps to the Node it hands over to. */
async function launched(directory: string) {
  const child = fork(COMMAND, ['up', '--data', directory, '--port', '0', '--json'], { silent: true })
  const [line] = await once(createInterface({ input: child.stdout! }), 'line')
  return { child, url: JSON.parse(line).url as string, exited: once(child, 'exit') }
}

test('A node whose launcher is gone ends at once', async (t) => {
  const { child, exited } = await launched(await temporaryDirectory(t))
  child.disconnect()
  assert.deepEqual(await exited, [null, 'SIGKILL'])
})

test('One Ctrl-C that reaches both the launcher and the node counts once', async (t) => {
  const { child, exited } = await launched(await temporaryDirectory(t))
  child.send('SIGINT')
  child.kill('SIGINT')
  assert.deepEqual(await exited, [0, null])
})
