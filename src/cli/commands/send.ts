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
import { SkeinError } from '../../core/index.ts'
import { NodeTimeKeeper, RosterView } from '../../swarm/index.ts'
import { type ClientOptions, newClientCommand, withBus } from '../client.ts'
import type { CommandContext } from '../context.ts'
import { EXIT } from '../exit-codes.ts'
import { commaList, durationMs } from '../options.ts'
import { table } from '../terminal.ts'

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
    .argument('[value]', 'JSON that fits the schema of the command', '{}')
    .option('--pattern <pattern>', 'under which the agent handles it', 'swarm.commands.{agentId}.{command}')
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

async function send({ target, command, value }: SendArguments, options: SendOptions, context: CommandContext) {
  const declared = declare(command, options)
  const parsed = parseValue(value)
  await withBus(options, context, async (bus) => {
    await openIfMissing(bus, declared.topicSpec)
    const { intentId, timeout } = options
    const how = {
      signal: context.signal,
      ...(intentId !== undefined && { intentId }),
      ...(timeout !== undefined && { timeoutMs: timeout }),
    }
    const outcomes = await withSender(bus, context, (sender) =>
      sendTo(sender, declared, target, { value: parsed, how }),
    )
    context.exitCode = exitCodeFor(outcomes)
    await tell(outcomes, options, context)
  })
}

async function withSender<Result>(
  bus: Bus,
  { clock, random }: CommandContext,
  action: (sender: CommandSender) => Promise<Result>,
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
  return await action(sender)
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

function selectorOf(text: string): AgentSelector {
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
  if (outcomes.length === 0) return EXIT.notFound
  if (outcomes.every(({ state }) => state === 'done')) return EXIT.ok
  return outcomes.some(({ state }) => state === 'unknown') ? EXIT.commandUnknown : EXIT.commandNotDone
}

async function tell(outcomes: readonly Outcome[], options: SendOptions, { terminal }: CommandContext): Promise<void> {
  if (options.json) {
    await terminal.line(JSON.stringify({ intentId: outcomes[0]?.intentId, outcomes }))
    return
  }
  if (outcomes.length === 0) terminal.note('nobody is under this selector')
  const rows = outcomes.map((outcome) => [
    outcome.agentId,
    outcome.state,
    outcome.state === 'done' ? (JSON.stringify(outcome.reply) ?? '') : `${outcome.reason}: ${outcome.message}`,
  ])
  if (rows.length > 0) await terminal.line(table(rows))
}
