import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { claimSocket } from './claim-socket.ts'
import { lockDirectory } from './directory-lock.ts'

const HOLDER = `
  import { lockDirectory } from ${JSON.stringify(new URL('./directory-lock.ts', import.meta.url).href)}
  await lockDirectory(process.argv[1]).then(() => console.log('held'), (error) => console.log(error.code))
  setInterval(() => {}, 1_000)
`
/** A network of its own, as every container has. Only root may make one. */
const ELSEWHERE = ['unshare', '--net', process.execPath] as const
const canUnshare = spawnSync('unshare', ['--net', 'true']).status === 0

async function directoryFor(context: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'skein-lock-'))
  context.after(() => rm(directory, { recursive: true, force: true }))
  return directory
}

async function hold(context: TestContext, directory: string, [command, ...before]: readonly string[]) {
  const args = [...before, '--input-type=module', '--eval', HOLDER, directory]
  const child = spawn(command!, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  context.after(() => child.kill('SIGKILL'))
  const [said] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  return { said, child }
}

test('A directory is held by one process, and free when that has been killed', async (context) => {
  const directory = await directoryFor(context)
  const { said, child } = await hold(context, directory, [process.execPath])
  assert.equal(said, 'held')
  await assert.rejects(lockDirectory(directory), { code: 'locked', message: new RegExp(`process ${child.pid} `) })
  child.kill('SIGKILL')
  await once(child, 'exit')
  const lock = await lockDirectory(directory)
  await lock.release()
  await lock.release()
  assert.deepEqual(
    (await readdir(directory)).filter((name) => name === 'lock.sock'),
    [],
  )
})

const onLinux = { skip: process.platform === 'linux' ? false : 'only Linux has two sockets' }

test(
  'A directory whose socket somebody answers at is held, also when its name in the abstract namespace is free',
  onLinux,
  async (context) => {
    const directory = await directoryFor(context)
    // What a process of another container has of it, as far as this one can see.
    const elsewhere = await claimSocket(directory)
    assert.ok(elsewhere !== undefined)
    await assert.rejects(lockDirectory(directory), { code: 'locked' })
    await elsewhere.release()
    const lock = await lockDirectory(directory)
    await assert.rejects(claimSocket(directory))
    await lock.release()
  },
)

const skip = canUnshare ? false : 'making a network namespace needs root and unshare'

test('A directory held in a network of its own, as a container has, is held for everyone', {
  skip,
}, async (context) => {
  const directory = await directoryFor(context)
  const first = await hold(context, directory, ELSEWHERE)
  assert.equal(first.said, 'held')
  await assert.rejects(lockDirectory(directory), { code: 'locked' })
  assert.equal((await hold(context, directory, ELSEWHERE)).said, 'locked')
  first.child.kill('SIGKILL')
  await once(first.child, 'exit')
  const lock = await lockDirectory(directory)
  assert.equal((await hold(context, directory, ELSEWHERE)).said, 'locked')
  await lock.release()
  assert.equal((await hold(context, directory, ELSEWHERE)).said, 'held')
})
