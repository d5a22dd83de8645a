import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { freePorts } from '../../services/free-ports.ts'
import { until } from '../../until.ts'
import type { Answer, Question } from './member-process.ts'

const PROGRAM = fileURLToPath(new URL('./member-process.ts', import.meta.url))

/** A member in a process of its own. */
class MemberProcess {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  #calls = 0
  isGone = false

  constructor(options: object) {
    this.#child = spawn(process.execPath, [PROGRAM, JSON.stringify(options)], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#child.stdin!.on('error', () => undefined)
    createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      const answer: Answer = JSON.parse(line)
      this.#waiting.get(answer.call)?.(answer)
      this.#waiting.delete(answer.call)
    })
    this.#child.on('exit', () => {
      this.isGone = true
      for (const resolve of this.#waiting.values()) resolve({ call: 0, state: 'gone', error: 'gone' })
    })
  }

  ask(question: Omit<Question, 'call'>): Promise<Answer> {
    if (this.isGone) return Promise.resolve({ call: 0, state: 'gone', error: 'gone' })
    this.#calls += 1
    const call = this.#calls
    return new Promise((resolve) => {
      this.#waiting.set(call, resolve)
      this.#child.stdin!.write(`${JSON.stringify({ call, ...question })}\n`)
    })
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await until(() => this.isGone)
  }
}

async function startThree(t: TestContext): Promise<{ members: MemberProcess[]; start: (id: number) => void }> {
  const directory = await mkdtemp(join(tmpdir(), 'skein-raft-'))
  const ports = await freePorts(3)
  const bootstrap = ports.map((port, at) => ({ id: at + 1, address: `127.0.0.1:${port}` }))
  const members: MemberProcess[] = []
  const start = (id: number) => {
    members[id - 1] = new MemberProcess({
      directory: join(directory, `node-${id}`),
      cluster: 'processes',
      id,
      listen: bootstrap[id - 1]!.address,
      bootstrap,
      heartbeatMs: 50,
      electionTimeoutMs: 500,
    })
  }
  for (const id of [1, 2, 3]) start(id)
  t.after(async () => {
    await Promise.all(members.map((member) => member.kill()))
    await rm(directory, { recursive: true, force: true })
  })
  return { members, start }
}

async function leaderOf(members: readonly MemberProcess[]): Promise<number> {
  let found = -1
  await until(async () => {
    const answers = await Promise.all(members.map((member) => member.ask({})))
    found = answers.findIndex(({ state }) => state === 'leading')
    return found !== -1
  })
  return found
}

/** Commands by number, each sent once to whoever led, and what became of them. */
class Writes {
  readonly acknowledged: string[] = []
  readonly unknown = new Set<string>()
  readonly #members: readonly MemberProcess[]
  #number = 0

  constructor(members: readonly MemberProcess[]) {
    this.#members = members
  }

  async #write(leader: number): Promise<void> {
    this.#number += 1
    const command = `${this.#number}`
    const { error } = await this.#members[leader]!.ask({ append: [command] })
    if (error === undefined) this.acknowledged.push(command)
    else if (error !== 'not-leader') this.unknown.add(command)
  }

  /**
   * Resolves when some of many were acknowledged by a leader, while the others are on their way. On a busy machine it may be
   * replaced before that: then the next one is asked.
   */
  async begin(): Promise<{ readonly leader: number; readonly done: Promise<unknown> }> {
    for (;;) {
      const leader = await leaderOf(this.#members)
      const before = this.acknowledged.length
      let isOver = false
      const done = Promise.all(Array.from({ length: 300 }, () => this.#write(leader))).finally(() => {
        isOver = true
      })
      await until(() => isOver || this.acknowledged.length > before + 50)
      if (this.acknowledged.length > before + 50) return { leader, done }
    }
  }

  /** The last one, which everybody has to have. */
  async end(): Promise<string> {
    const before = this.acknowledged.length
    await until(async () => {
      await this.#write(await leaderOf(this.#members))
      return this.acknowledged.length > before
    })
    return this.acknowledged.at(-1)!
  }
}

test('Leaders killed with SIGKILL under load lose nothing that was acknowledged, and come back from their disks', async (t) => {
  const { members, start } = await startThree(t)
  const writes = new Writes(members)
  for (let round = 0; round < 3; round += 1) {
    const { leader, done } = await writes.begin()
    await members[leader]!.kill()
    await done
    await leaderOf(members)
    start(leader + 1)
  }
  const end = await writes.end()
  const { acknowledged, unknown } = writes
  for (const member of members) {
    let found: readonly string[] = []
    await until(async () => {
      found = (await member.ask({ read: true })).found ?? []
      return found.at(-1) === end
    })
    const places = new Map(found.map((command, at) => [command, at]))
    assert.equal(places.size, found.length, 'nothing is there twice')
    for (const command of acknowledged) assert.ok(places.has(command), `${command} was acknowledged`)
    const known = new Set([...acknowledged, ...unknown])
    for (const command of found) assert.ok(known.has(command), `${command} was never in doubt`)
    // What went to one leader went one after the other, and to the next only afterwards: the order is that of the numbers.
    const numbers = found.map(Number)
    assert.deepEqual(
      numbers,
      [...numbers].sort((left, right) => left - right),
    )
  }
})
