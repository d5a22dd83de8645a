import type { Command } from 'commander'
import Type from 'typebox'
import { type Bus, openIfMissing } from '../../bus/index.ts'
import {
  type AgentSelector,
  type CommandChannel,
  type CommandSender,
  command as declareCommand,
  type Outcome,
  openCommandSender,
  type SendOptions as SendingOptions,
} from '../../channel/index.ts'
import { nearest, SkeinError } from '../../core/index.ts'
import { NodeTimeKeeper, RosterView } from '../../swarm/index.ts'
import { type ClientOptions, newClientCommand, withBus } from '../client.ts'
import type { CommandContext } from '../context.ts'
import { EXIT } from '../exit-codes.ts'
import { DEFAULT_URL } from '../node-url.ts'
import { commaList, durationMs } from '../options.ts'
import { shellWord } from '../shell-word.ts'
import { table } from '../terminal.ts'

const PATTERN = 'swarm.commands.{agentId}.{command}'
const NO_VALUE = '{}'

interface SendOptions extends ClientOptions {
  readonly pattern: string
  readonly startWithin: number
  readonly completeWithin?: number
  readonly intentId?: string
  readonly timeout?: number
}

export function sendCommand(context: CommandContext): Command {
  return newClientCommand('send', 'send a command to agents and wait for what becomes of it', [
    `skein send drone-7 move-to '{"latitude":47.1,"longitude":8.3}' --start-within 2s`,
    'skein send drone-1,drone-2 land --start-within 500ms --json',
    'skein send type=quadrotor,region=north land',
    `skein send '*' land   # everyone`,
  ])
    .argument('<target>', 'an agent, several with commas between, or a selector of type=, region= and capability=')
    .argument('<command>', 'the last level of the pattern, such as move-to, or a whole pattern with {agentId}')
    .argument('[value]', 'JSON that fits the schema of the command', NO_VALUE)
    .option('--pattern <pattern>', 'under which the agent handles it', PATTERN)
    .option('--start-within <duration>', 'claimed later it is expired and never runs', durationMs, 5_000)
    .option('--complete-within <duration>', 'running longer it is aborted', durationMs)
    .option('--intent-id <id>', 'the same id again asks for the same outcome (default: a new one)')
    .option('--timeout <duration>', 'stop waiting after this long: the outcome is then unknown', durationMs)
    .addHelpText('after', '\nExits with 0 when all have done it, 7 when one has not, 8 when an outcome is unknown.')
    .action((target: string, command: string, value: string, options: SendOptions) =>
      send({ target, command, value }, options, context),
    )
}

interface SendArguments {
  readonly target: string
  readonly command: string
  readonly value: string
}

async function send(given: SendArguments, options: SendOptions, context: CommandContext) {
  const { target, command, value } = given
  const declared = declare(command, options)
  const parsed = parseValue(value)
  await withBus(options, context, async (bus) => {
    await openIfMissing(bus, declared.topicSpec)
    const { intentId, timeout } = options
    let sent: string | undefined
    const how = {
      signal: context.signal,
      onSending: (id: string) => {
        sent = id
      },
      ...(intentId !== undefined && { intentId }),
      ...(timeout !== undefined && { timeoutMs: timeout }),
    }
    const outcomes = await withSender(bus, context, async (sender, roster) => {
      const found = await sendTo(sender, declared, target, { value: parsed, how })
      if (found.length === 0) throw nobody(target, roster)
      return found
    }).catch((error: unknown) => {
      if (sent === undefined || !context.signal.aborted) throw error
      throw interrupted(error, sent, askAgain(given, options, sent))
    })
    context.exitCode = exitCodeFor(outcomes)
    await tell(outcomes, options, { given, context })
  })
}

/** What was sent stays sent: whoever stopped waiting is told how to learn what became of it. */
function interrupted(cause: unknown, intentId: string, again: string): SkeinError {
  return new SkeinError(
    'aborted',
    `Stopped waiting for the command, which was sent as intent ${intentId}: its outcome is unknown. Ask again with: ${again}`,
    { cause, details: { intentId, state: 'unknown', askAgain: again } },
  )
}

/** The same intent again takes effect once and gives the outcome of the first. */
function askAgain({ target, command, value }: SendArguments, options: SendOptions, intentId: string): string {
  const words = ['skein', 'send', target, command, ...(value === NO_VALUE ? [] : [value])]
  if (options.pattern !== PATTERN) words.push('--pattern', options.pattern)
  if (options.url !== DEFAULT_URL) words.push('--url', options.url)
  return [...words, '--intent-id', intentId].map(shellWord).join(' ')
}

function nobody(target: string, roster: RosterView): SkeinError {
  const selector: Selector = target === '*' ? {} : selectorOf(target)
  const agents = roster.select({})
  const known = [
    ['type', agents.map(({ type }) => type)],
    ['region', agents.map(({ region }) => region)],
    ['capability', agents.flatMap(({ capabilities }) => capabilities)],
  ] as const
  let near: string | undefined
  for (const [field, names] of known) {
    const asked = selector[field]
    const found = asked === undefined || names.includes(asked) ? undefined : nearest(asked, names)
    if (found !== undefined) near ??= `${field}=${found}`
  }
  const hint = near === undefined ? '"skein agents" lists who is there' : `did you mean ${near}?`
  return new SkeinError(
    'unknown-agent',
    `Cannot send a command to "${target}": nobody is under this selector; ${hint}`,
    {
      details: { selector, ...(near !== undefined && { nearest: near }) },
    },
  )
}

async function withSender<Result>(
  bus: Bus,
  { clock, random }: CommandContext,
  action: (sender: CommandSender, roster: RosterView) => Promise<Result>,
): Promise<Result> {
  await using parts = new AsyncDisposableStack()
  const roster = parts.adopt(new RosterView({ bus, clock }), (made) => made.close())
  await roster.ready()
  const nodeTime = parts.adopt(new NodeTimeKeeper(bus.requests, clock), (made) => made.close())
  await nodeTime.start()
  const name = `cli-${Buffer.from(random.bytes(6)).toString('hex')}`
  const sender = await openCommandSender({ bus, clock, random, roster, nodeTime, sender: name })
  parts.adopt(sender, (made) => made.close())
  // Awaited here: what it stands on is closed when this function returns.
  return await action(sender, roster)
}

interface Sending {
  readonly value: unknown
  readonly how: SendingOptions
}

async function sendTo(
  sender: CommandSender,
  declared: CommandChannel<unknown, unknown>,
  target: string,
  { value, how }: Sending,
): Promise<readonly Outcome[]> {
  if (target === '*') return sender.send(declared, {}, value, how)
  if (target.includes('=')) return sender.send(declared, selectorOf(target), value, how)
  if (target.includes(',')) return sender.send(declared, commaList(target), value, how)
  return [await sender.send(declared, target, value, how)]
}

/** The command as this side knows it: any JSON goes, the agent checks it by its schema. */
function declare(command: string, options: SendOptions): CommandChannel<unknown, unknown> {
  const pattern = command.includes('{agentId}') ? command : options.pattern.replace('{command}', command)
  return declareCommand(pattern, {
    schema: Type.Unknown(),
    reply: Type.Unknown(),
    startWithinMs: options.startWithin,
    ...(options.completeWithin !== undefined && { completeWithinMs: options.completeWithin }),
    // How it meets others is the agent's to say: its own declaration counts.
    overlap: 'queue',
  })
}

type Selector = Pick<AgentSelector, 'type' | 'region' | 'capability'>

function selectorOf(text: string): Selector {
  const selector: Record<string, string> = {}
  for (const pair of commaList(text)) {
    const [name = '', value = ''] = pair.split('=', 2)
    if (!['type', 'region', 'capability'].includes(name) || value === '') {
      throw new SkeinError('bad-argument', `Cannot select agents by "${pair}": give type=, region= or capability=`)
    }
    selector[name] = value
  }
  return selector
}

function parseValue(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new SkeinError('bad-argument', `Cannot send the value: it is no JSON: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

function exitCodeFor(outcomes: readonly Outcome[]): number {
  if (outcomes.every(({ state }) => state === 'done')) return EXIT.ok
  return outcomes.some(({ state }) => state === 'unknown') ? EXIT.commandUnknown : EXIT.commandNotDone
}

interface Told {
  readonly given: SendArguments
  readonly context: CommandContext
}

async function tell(outcomes: readonly Outcome[], options: SendOptions, { given, context }: Told): Promise<void> {
  const { terminal } = context
  const { intentId } = outcomes[0]!
  if (options.json) {
    await terminal.line(JSON.stringify({ intentId, outcomes }))
    return
  }
  const rows = outcomes.map((outcome) => [
    outcome.agentId,
    outcome.state,
    outcome.state === 'done' ? (JSON.stringify(outcome.reply) ?? '') : `${outcome.reason}: ${outcome.message}`,
  ])
  await terminal.line(table(rows))
  if (!outcomes.some(({ state }) => state === 'unknown')) return
  terminal.note(`Sent as intent ${intentId}. Ask again with: ${askAgain(given, options, intentId)}`)
}
