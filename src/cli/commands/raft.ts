import { Command } from 'commander'
import { newClientCommand } from '../client.ts'
import type { CommandContext } from '../context.ts'
import { durationMs, wholeNumber } from '../options.ts'
import { appendCommands, type Entry, type ReadFlags, readCommands } from '../raft/entries.ts'
import { addMember, removeMember, tellMembers, transferTo } from '../raft/members.ts'
import { RaftClient, type RaftOptions } from '../raft/raft-client.ts'
import { takeSnapshot, tellStatus } from '../raft/status.ts'

/** `skein raft`: the replicated logs of a group of nodes. */
export function raftCommand(context: CommandContext): Command {
  const raft = new Command('raft').description('replicated logs: who leads, who belongs to them, what is in them')
  for (const make of COMMANDS) raft.addCommand(make(context))
  return raft
}

const COMMANDS = [status, members, add, remove, transfer, snapshot, append, read]

function raftClientCommand(name: string, description: string, examples: readonly string[]): Command {
  return newClientCommand(name, description, examples).option(
    '--log <name>',
    'the log, as the configuration names it (default: the only one)',
  )
}

function status(context: CommandContext): Command {
  return raftClientCommand('status', 'how a member sees the log: who leads, how far it is, whom it reaches', [
    'skein raft status',
    'skein raft status --url http://10.0.0.2:7600 --json',
  ]).action((options: RaftOptions) => tellStatus(new RaftClient(options, context), { options, context }))
}

function members(context: CommandContext): Command {
  return raftClientCommand('members', 'who belongs to the group', [
    'skein raft members',
    'skein raft members --log decisions --json',
  ]).action((options: RaftOptions) => tellMembers(new RaftClient(options, context), { options, context }))
}

function add(context: CommandContext): Command {
  return raftClientCommand('add', 'add a new machine: it receives the log, and votes once it has caught up', [
    'skein raft add 4 10.0.0.4:7700',
    'skein raft add 4 10.0.0.4:7700 --learner   # it does not vote; `add` again makes it a voter',
  ])
    .argument('<id>', 'its node id, never used before', wholeNumber(1))
    .argument('<address>', 'where the other members reach it, host:port')
    .option('--learner', 'leave it a learner, that receives the log and does not vote')
    .action((id: number, address: string, options: RaftOptions & { readonly learner?: true }) =>
      addMember(
        new RaftClient(options, context),
        { id: String(id), address, learner: options.learner === true },
        { options, context },
      ),
    )
}

function remove(context: CommandContext): Command {
  return raftClientCommand('remove', 'take a member away; its id is spent', ['skein raft remove 2'])
    .argument('<id>', 'its node id', wholeNumber(1))
    .action((id: number, options: RaftOptions) =>
      removeMember(new RaftClient(options, context), String(id), { options, context }),
    )
}

function transfer(context: CommandContext): Command {
  return raftClientCommand('transfer', 'hand leadership to another voter', ['skein raft transfer 3'])
    .argument('<id>', 'who is to lead', wholeNumber(1))
    .action((id: number, options: RaftOptions) =>
      transferTo(new RaftClient(options, context), String(id), { options, context }),
    )
}

function snapshot(context: CommandContext): Command {
  return raftClientCommand('snapshot', 'put what is committed into a snapshot at this member, and free its log of it', [
    'skein raft snapshot',
    'skein raft snapshot --keep 0 --json',
  ])
    .option('--keep <n>', 'entries kept behind it, for members that are a little late', wholeNumber(0), 5_000)
    .action((options: RaftOptions & { readonly keep: number }) =>
      takeSnapshot(new RaftClient(options, context), options.keep, { options, context }),
    )
}

function append(context: CommandContext): Command {
  return raftClientCommand('append', 'append commands to the log, all or none', [
    "skein raft append 'task 7 goes to drone-3'",
    'skein raft append first second --json   # where they stand, and what that survives',
  ])
    .argument('<command...>', 'as text')
    .action((commands: readonly string[], options: RaftOptions) =>
      appendCommands(new RaftClient(options, context), commands, { options, context }),
    )
}

function read(context: CommandContext): Command {
  return raftClientCommand('read', 'print the commands of the log', [
    'skein raft read',
    'skein raft read --from 1200 --follow',
    'skein raft read --local --json   # what this member has, though no majority may be left to ask',
  ])
    .option('--from <index>', 'the first that is wanted', wholeNumber(0), 0)
    .option('--local', 'without asking the others whether there is more')
    .option('--follow', 'wait for what is appended later')
    .option('--poll <duration>', 'how long one request waits while following', durationMs, 20_000)
    .action((options: RaftOptions & ReadFlags) => {
      const line = ({ index, term, timeMs, ...data }: Entry) =>
        options.json
          ? JSON.stringify({ index, term, timeMs, ...data })
          : `${index}\t${data.text ?? `base64:${data.base64}`}`
      const print = (entry: Entry) => context.terminal.line(line(entry))
      return readCommands(new RaftClient(options, context), options, { print, signal: context.signal })
    })
}
