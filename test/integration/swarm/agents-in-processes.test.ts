import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, it, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type NodeProcess, startNodeProcess } from '../../../sim/node-process.ts'
import { connect, type Fabric, type SkeinError } from '../../../src/fabric/index.ts'
import { Beat, Note } from './declarations.ts'

const AGENT = join(dirname(fileURLToPath(import.meta.url)), 'agent-process.ts')
// Liveness in fifths of its usual time: the tests need not wait so long.
process.env.SKEIN_SWARM_PULSE_MS = '200'

interface Effect {
  readonly intentId: string
  readonly text: string
  readonly epoch: number
  readonly pid: number
}

/** A node, a controller connected to it, and agents in processes of their own. */
class World {
  readonly directory = mkdtempSync(join(tmpdir(), 'skein-swarm-'))
  readonly #children: ChildProcess[] = []
  #node: NodeProcess | undefined
  #fabric: Fabric | undefined

  get fabric(): Fabric {
    return this.#fabric!
  }

  get url(): string {
    return this.#node!.url.replace('http:', 'skein:')
  }

  async start(): Promise<void> {
    this.#node = await startNodeProcess({ dataDirectory: join(this.directory, 'data') })
    this.#fabric = await connect(this.url)
  }

  killNode(): Promise<void> {
    return this.#node!.kill()
  }

  async killAndRestartNode(): Promise<void> {
    const { port } = this.#node!
    await this.#node!.kill()
    this.#node = await startNodeProcess({ dataDirectory: join(this.directory, 'data'), port })
  }

  async agent(id: string, options: { readonly stateDir?: string } = {}): Promise<AgentProcess> {
    const args = [AGENT, this.url, id, join(this.directory, 'ledger')]
    if (options.stateDir !== undefined) args.push(join(this.directory, options.stateDir))
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#children.push(child)
    const agent = new AgentProcess(child)
    await agent.joined
    return agent
  }

  effects(): readonly Effect[] {
    const ledger = join(this.directory, 'ledger')
    if (!existsSync(ledger)) return []
    return readFileSync(ledger, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Effect)
  }

  async livenessBecomes(id: string, liveness: string): Promise<void> {
    const deadlineMs = performance.now() + 20_000
    for (;;) {
      const now = (await this.fabric.agent(id))?.liveness
      if (now === liveness) return
      assert.ok(performance.now() < deadlineMs, `${id} is ${now}, and does not become ${liveness}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  async close(): Promise<void> {
    for (const child of this.#children) if (child.exitCode === null) child.kill('SIGKILL')
    await this.#fabric?.close()
    await this.#node?.kill()
    rmSync(this.directory, { recursive: true, force: true })
  }
}

class AgentProcess {
  readonly joined: Promise<number>
  readonly exited: Promise<number | null>
  readonly #child: ChildProcess

  constructor(child: ChildProcess) {
    this.#child = child
    this.joined = firstEpoch(child)
    this.exited = once(child, 'exit').then(([code]) => code as number | null)
  }

  signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(name)
  }
}

async function firstEpoch(child: ChildProcess): Promise<number> {
  for await (const line of createInterface({ input: child.stdout! })) {
    const said = JSON.parse(line) as { joined?: number }
    if (said.joined !== undefined) return said.joined
  }
  throw new Error('The agent ended before it joined')
}

async function world(test: TestContext): Promise<World> {
  const made = new World()
  test.after(() => made.close())
  await made.start()
  return made
}

describe('Agents in processes of their own', () => {
  it('one that is killed is suspect at once and lost later; it comes back with a newer epoch', async (test) => {
    const swarm = await world(test)
    const before = await swarm.agent('rover-1', { stateDir: 'state' })
    assert.equal((await swarm.fabric.send(Note, 'rover-1', { text: 'one' })).state, 'done')
    const killedAtMs = performance.now()
    before.signal('SIGKILL')
    await swarm.livenessBecomes('rover-1', 'suspect')
    assert.ok(performance.now() - killedAtMs < 500, 'the closed socket tells, not the missed pulses')
    await swarm.livenessBecomes('rover-1', 'lost')
    const after = await swarm.agent('rover-1', { stateDir: 'state' })
    assert.ok((await after.joined) > (await before.joined))
    const outcome = await swarm.fabric.send(Note, 'rover-1', { text: 'two' })
    assert.equal(outcome.state, 'done')
    if (outcome.state === 'done') assert.equal(outcome.reply.epoch, await after.joined)
    assert.deepEqual(
      swarm.effects().map(({ text }) => text),
      ['one', 'two'],
    )
  })

  it('one that was stopped and replaced does nothing more when it goes on: it finds itself fenced', async (test) => {
    const swarm = await world(test)
    const stopped = await swarm.agent('rover-1')
    assert.equal((await swarm.fabric.send(Note, 'rover-1', { text: 'one' })).state, 'done')
    stopped.signal('SIGSTOP')
    // It is pushed into the socket of the stopped process, to the epoch that is about to end.
    const stale = swarm.fabric.send(Note, 'rover-1', { text: 'to the older epoch' })
    const fresh = await swarm.agent('rover-1')
    const refused = await stale
    assert.deepEqual([refused.state, 'reason' in refused && refused.reason], ['rejected', 'stale'])
    for (const text of ['two', 'three']) {
      const outcome = await swarm.fabric.send(Note, 'rover-1', { text })
      assert.equal(outcome.state, 'done', JSON.stringify(outcome))
    }
    stopped.signal('SIGCONT')
    assert.equal(await stopped.exited, 3)
    assert.equal((await swarm.fabric.send(Note, 'rover-1', { text: 'four' })).state, 'done')
    const effects = swarm.effects()
    assert.deepEqual(
      effects.map(({ text }) => text),
      ['one', 'two', 'three', 'four'],
    )
    assert.deepEqual(
      effects.slice(1).map(({ epoch }) => epoch),
      Array(3).fill(await fresh.joined),
    )
  })

  it('drain() ends when the node is gone, and says what could not be finished', async (test) => {
    const swarm = await world(test)
    const fabric = await connect(swarm.url)
    await fabric.join({ id: 'rover-1', type: 'rover', region: 'north' })
    await swarm.killNode()
    await assert.rejects(fabric.drain(), (error: SkeinError) => ['timeout', 'connection-lost'].includes(error.code))
    await assert.rejects(fabric.roster(), { code: 'closed' })
  })

  it('a node that is killed and started again knows its agents, and they go on under their epochs', async (test) => {
    const swarm = await world(test)
    const rover = await swarm.agent('rover-1', { stateDir: 'state' })
    assert.equal((await swarm.fabric.send(Note, 'rover-1', { text: 'one' })).state, 'done')
    const receipt = await swarm.fabric.publish(Beat, { count: 1 }, { fields: { region: 'north', agentId: 'rover-1' } })
    assert.equal(receipt.accepted, 1)
    await swarm.killAndRestartNode()
    const outcome = await swarm.fabric.send(Note, 'rover-1', { text: 'two' })
    assert.equal(outcome.state, 'done', JSON.stringify(outcome))
    if (outcome.state === 'done') assert.equal(outcome.reply.epoch, await rover.joined)
    await swarm.livenessBecomes('rover-1', 'alive')
    assert.deepEqual(
      swarm.effects().map(({ text }) => text),
      ['one', 'two'],
    )
  })
})
