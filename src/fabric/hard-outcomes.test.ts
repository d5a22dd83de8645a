/** Whatever a handler throws or replies, of any size and shape: its command has an outcome, and so has the next one. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import Type from 'typebox'
import { CommandRejected, command, connect, contract, type Fabric, rawBytes } from './index.ts'

const options = { startWithinMs: 30_000, completeWithinMs: 60_000, overlap: 'queue' } as const
const Tell = command('swarm.commands.{agentId}.tell', {
  ...options,
  schema: Type.Object({ character: Type.String(), times: Type.Integer() }),
  reply: Type.Object({ text: Type.String() }),
})
const Show = command('swarm.commands.{agentId}.show', {
  ...options,
  schema: Type.Object({ how: Type.String() }),
  reply: Type.Any(),
})
const Film = command('swarm.commands.{agentId}.film', {
  ...options,
  schema: Type.Object({ bytes: Type.Integer() }),
  reply: rawBytes(),
})
const MIB = 1024 * 1024

const NO_MESSAGE = Object.setPrototypeOf(
  {
    get message(): string {
      throw new Error('not even that')
    },
  },
  Error.prototype,
)

const REVOKED = (() => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
})()

function cycle(): unknown {
  const one: Record<string, unknown> = {}
  one.self = one
  return one
}

const HANDLERS: Readonly<Record<string, () => unknown>> = {
  'an error of 1 MiB': () => {
    throw new Error('x'.repeat(MIB))
  },
  'a refusal of 1 MiB': () => {
    throw new CommandRejected('x'.repeat(MIB))
  },
  'what cannot be printed': () => {
    throw Object.create(null)
  },
  'an error whose message throws': () => {
    throw NO_MESSAGE
  },
  'what cannot even be asked for its class': () => {
    throw REVOKED
  },
  'no reply where one is wanted': () => undefined,
  'a bigint': () => 12n,
  'a cycle': cycle,
  'what throws while it is written': () => ({
    toJSON() {
      throw REVOKED
    },
  }),
  'a thenable that throws': () => ({
    // biome-ignore lint/suspicious/noThenProperty: a handler may return anything
    get then(): never {
      throw NO_MESSAGE
    },
  }),
}

const SMALL = { text: 'small' }

interface Swarm {
  readonly fabric: Fabric
  readonly runs: string[]
  /** What was reported to nobody's call. */
  readonly errors: unknown[]
}

async function swarm(test: TestContext, inbox: 'on disk' | 'at the node'): Promise<Swarm> {
  const stateDir = inbox === 'on disk' ? await mkdtemp(join(tmpdir(), 'skein-outcomes-')) : undefined
  const errors: unknown[] = []
  const fabric = await connect('memory:', {
    contract: contract({ Tell, Show, Film }),
    safe: 'none',
    onError: (error) => errors.push(error),
  })
  test.after(async () => {
    await fabric.close()
    if (stateDir !== undefined) await rm(stateDir, { recursive: true, force: true })
  })
  const agent = await fabric.join({ id: 'cam-1', type: 'cam', region: 'north', ...(stateDir && { stateDir }) })
  const runs: string[] = []
  agent.handle(Show, ({ value }) => {
    runs.push(value.how)
    return HANDLERS[value.how]?.() ?? (value.how === 'small' ? SMALL : undefined)
  })
  agent.handle(Tell, ({ value }) => {
    runs.push(value.character)
    return { text: value.character.repeat(value.times) }
  })
  agent.handle(Film, ({ value }) => new Uint8Array(value.bytes).fill(7))
  return { fabric, runs, errors }
}

for (const inbox of ['on disk', 'at the node'] as const) {
  describe(`With its inbox ${inbox}`, () => {
    it('a command whose handler throws or replies anything ends in an outcome, and so does the next one', async (test) => {
      const { fabric, runs, errors } = await swarm(test, inbox)
      const send = (how: string) => fabric.send(Show, 'cam-1', { how })
      for (const how of Object.keys(HANDLERS)) {
        const [outcome, next] = await Promise.all([send(how), send('small')])
        const state = how === 'a refusal of 1 MiB' ? 'rejected' : 'failed'
        assert.deepEqual([outcome.state, next.state], [state, 'done'], how)
        assert.ok(outcome.state !== 'done')
        assert.equal(outcome.reason, state === 'failed' ? 'handler-failed' : 'refused', how)
        assert.ok(outcome.message.length > 0 && outcome.message.length <= 2_000, how)
      }
      assert.deepEqual(
        runs,
        Object.keys(HANDLERS).flatMap((how) => [how, 'small']),
      )
      assert.deepEqual(errors, [])
    })

    it('a reply that is too large is a failure that says so, told again and not run again, and the next one goes on', async (test) => {
      const { fabric, runs, errors } = await swarm(test, inbox)
      for (const [character, times] of [
        ['x', 2 * MIB],
        ['é', 500_000],
        // Of each, JSON makes two bytes, and four within another JSON.
        ['"', 300_000],
      ] as const) {
        const intentId = `large ${character}`
        const large = () => fabric.send(Tell, 'cam-1', { character, times }, { intentId })
        const [outcome, next] = await Promise.all([large(), fabric.send(Show, 'cam-1', { how: 'small' })])
        assert.ok(outcome.state === 'failed', `${outcome.state}`)
        assert.equal(outcome.reason, 'reply-too-large')
        assert.match(outcome.message, /came to its end.*takes \d+ bytes/)
        assert.equal(next.state, 'done')
        assert.deepEqual(await large(), outcome)
        assert.deepEqual(await fabric.outcome(intentId), [outcome])
      }
      assert.deepEqual(runs.filter((run) => run !== 'small').sort(), ['"', 'x', 'é'])
      const film = await fabric.send(Film, 'cam-1', { bytes: MIB })
      assert.ok(film.state === 'failed' && film.reason === 'reply-too-large')
      assert.deepEqual(errors, [])
    })

    it('a reply just within the bound comes whole', async (test) => {
      const { fabric } = await swarm(test, inbox)
      const text = await fabric.send(Tell, 'cam-1', { character: '"', times: 240_000 })
      assert.ok(text.state === 'done' && text.reply.text === '"'.repeat(240_000))
      const film = await fabric.send(Film, 'cam-1', { bytes: 730_000 })
      assert.ok(film.state === 'done' && film.reply.byteLength === 730_000 && film.reply.every((byte) => byte === 7))
    })
  })
}
