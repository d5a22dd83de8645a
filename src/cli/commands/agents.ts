import type { Command } from 'commander'
import type { AgentRecord } from '../../channel/index.ts'
import { RosterView, withLastHeard } from '../../swarm/index.ts'
import { type ClientOptions, newClientCommand, withBus } from '../client.ts'
import type { CommandContext } from '../context.ts'
import { table } from '../terminal.ts'

interface AgentsOptions extends ClientOptions {
  readonly type?: string
  readonly region?: string
  readonly capability?: string
}

export function agentsCommand(context: CommandContext): Command {
  return newClientCommand('agents', 'who is in the swarm, and whether they are alive', [
    'skein agents',
    'skein agents --type quadrotor --region north --json',
  ])
    .option('--type <type>', 'only agents of this type')
    .option('--region <region>', 'only agents in this region')
    .option('--capability <capability>', 'only agents that can do this')
    .action((options: AgentsOptions) => agents(options, context))
}

async function agents(options: AgentsOptions, context: CommandContext): Promise<void> {
  await withBus(options, context, async (bus) => {
    const roster = new RosterView({ bus, clock: context.clock })
    await roster.ready()
    const { type, region, capability } = options
    const selected = roster.select({
      ...(type !== undefined && { type }),
      ...(region !== undefined && { region }),
      ...(capability !== undefined && { capability }),
    })
    await roster.close()
    const found = await withLastHeard(bus.requests, selected, { signal: context.signal })
    if (options.json) await context.terminal.line(JSON.stringify({ agents: found }))
    else await context.terminal.line(plain(found, context.clock.nowMs()))
  })
}

function plain(agents: readonly AgentRecord[], nowMs: number): string {
  const rows = agents.map(({ id, type, region, epoch, liveness, seenAtMs }) => [
    id,
    type,
    region,
    String(epoch),
    liveness,
    `${Math.max(0, Math.round((nowMs - seenAtMs) / 1_000))} s ago`,
  ])
  return table([['id', 'type', 'region', 'epoch', 'liveness', 'heard'], ...rows])
}
