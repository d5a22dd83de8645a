import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Command, CommanderError } from 'commander'
import { systemClock, systemRandom } from '../core/system/index.ts'
import type { CommandContext } from './context.ts'
import { buildProgram } from './program.ts'

/** None of what is tried here gets as far as a node. */
function contextIn(environment: CommandContext['environment']): CommandContext {
  return {
    terminal: {
      interactive: false,
      line: () => undefined,
      note: () => {},
      progress: () => {},
      flush: () => Promise.resolve(),
    },
    clock: systemClock,
    random: systemRandom,
    environment,
    signal: AbortSignal.abort(),
    exitCode: 0,
  }
}

/** What `skein` says when it refuses these arguments. */
async function refusal(...argv: string[]): Promise<string> {
  let told = ''
  const listenTo = (command: Command) => {
    command.configureOutput({ writeErr: (text) => (told += text), writeOut: () => {} })
    for (const child of command.commands) listenTo(child)
  }
  const program = buildProgram(contextIn({}))
  listenTo(program)
  await assert.rejects(program.parseAsync(argv, { from: 'user' }), (error) => {
    assert.ok(error instanceof CommanderError && error.exitCode !== 0, String(error))
    return true
  })
  return told
}

test('A misspelt command names the nearest one, in every group and in help', async () => {
  for (const [argv, meant] of [
    [['pbu', 'a', 'b'], 'pub'],
    [['help', 'dcotor'], 'doctor'],
    [['topics', 'shwo'], 'show'],
    [['topics', 'shwo', 'swarm.telemetry', '--json'], 'show'],
    [['topics', '--json', 'creat'], 'create'],
    [['topics', 'help', 'shwo'], 'show'],
    [['dlq', 'lst'], 'list'],
    [['dlq', 'relpay', 'swarm.events'], 'replay'],
    [['dlq', 'help', 'lst'], 'list'],
  ] as const) {
    assert.match(
      await refusal(...argv),
      new RegExp(`unknown command.*\\s\\(Did you mean ${meant}\\?\\)`),
      argv.join(' '),
    )
  }
})

test('A command that is near to none lists those there are', async () => {
  assert.match(
    await refusal('topics', 'swarm.telemetry'),
    /unknown command 'swarm\.telemetry'\s\(there are list, show, /,
  )
  assert.match(await refusal('dlq', 'xyzzy'), /there are list, replay/)
  assert.match(await refusal('xyzzy'), /there are up, pub, sub/)
})

test('Too many arguments of a command that was named are told as such', async () => {
  assert.match(await refusal('topics', 'list', 'shwo'), /too many arguments for 'list'/)
})

test('A misspelt option names the nearest one, and every refusal says how to see what is possible', async () => {
  for (const [argv, meant] of [
    [['replay', 'file', '--numbres', 'a'], '--numbers'],
    [['topics', '--jsn'], '--json'],
    [['topics', 'create', 'a', '--partitons', '3'], '--partitions'],
    [['dlq', 'list', 'a', '--mx', '3'], '--max'],
    [['up', '--prot', '3'], '--port'],
  ] as const) {
    const told = await refusal(...argv)
    assert.match(told, new RegExp(`unknown option.*\\s\\(Did you mean ${meant}\\?\\)`), argv.join(' '))
    assert.match(told, /--help/)
  }
})

test('A misspelt variable names the nearest one before a command reaches for the wrong node', async () => {
  const program = () => buildProgram(contextIn({ SKEIN_ULR: 'skein://10.0.0.1:7600' }))
  for (const argv of [['topics'], ['pub', 'a', '1'], ['dlq', 'list', 'a']]) {
    await assert.rejects(program().parseAsync(argv, { from: 'user' }), {
      code: 'bad-config',
      message: /SKEIN_ULR.*did you mean SKEIN_URL\?/,
    })
  }
})

test('Every argument and option of every command says what it is', () => {
  const undescribed: string[] = []
  const look = (command: Command, path: string) => {
    if (command.description() === '') undescribed.push(path)
    for (const argument of command.registeredArguments) {
      if (argument.description === '') undescribed.push(`${path} <${argument.name()}>`)
    }
    for (const option of command.options) if (option.description === '') undescribed.push(`${path} ${option.flags}`)
    for (const child of command.commands) look(child, `${path} ${child.name()}`)
  }
  look(buildProgram(contextIn({})), 'skein')
  assert.deepEqual(undescribed, [])
})

test('A topic is deleted only when that is meant', async () => {
  const told = await refusal('topics', 'delete', 'swarm.scratch')
  assert.match(told, /topic 'swarm\.scratch' is deleted with every message in it.*add --yes/)
})
