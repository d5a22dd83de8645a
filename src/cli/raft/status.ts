import type { CommandContext } from '../context.ts'
import { table } from '../terminal.ts'
import type { LogTold, RaftClient, RaftOptions } from './raft-client.ts'

interface Tell {
  readonly options: RaftOptions
  readonly context: CommandContext
}

/** Of the log that is named, or of all that the node has. */
export async function tellStatus(client: RaftClient, { options, context }: Tell): Promise<void> {
  const { terminal } = context
  if (options.log !== undefined) {
    const told = await client.log()
    return terminal.line(options.json ? JSON.stringify(told) : plain(told))
  }
  const logs = await client.logs()
  if (options.json) return terminal.line(JSON.stringify({ logs }))
  if (logs.length === 0) return terminal.note('This node is no member of a replicated log')
  await terminal.line(logs.map(plain).join('\n\n'))
}

function plain({ name, id, state, term, leader, members, failure, snapshot, connections, ...rest }: LogTold): string {
  const voters = members.filter(({ kind }) => kind === 'voter').length
  const unreached = connections.peers.filter(({ error }) => error !== undefined)
  const rows = [
    ['log', name],
    ['this member', `${id}, ${state}`],
    ['leader', leader === undefined ? 'nobody is known to lead' : `${leader.id}, term ${term}`],
    ['voters', `${voters} of ${members.length} members`],
    ['entries', `${rest.firstIndex} to ${rest.committedIndex}, ${rest.retainedBytes} bytes held`],
    ['snapshot', snapshot === undefined ? 'none' : `through ${snapshot.index}, ${snapshot.bytes} bytes`],
    ...unreached.map((peer) => [`member ${peer.id}`, `not reached: ${peer.error!.message}`]),
    ...(failure === undefined ? [] : [['failed', `${failure.message} (${failure.code})`]]),
  ]
  return table(rows)
}

export async function takeSnapshot(client: RaftClient, keep: number, { options, context }: Tell): Promise<void> {
  const body = JSON.stringify({ keep })
  const answer = await client.at<{ taken: boolean; snapshot?: { index: number; bytes: number } }>('/snapshot', {
    method: 'POST',
    body,
  })
  if (options.json) return context.terminal.line(JSON.stringify(answer))
  const { taken, snapshot } = answer
  const what =
    snapshot === undefined
      ? 'there is nothing to put into one'
      : `through entry ${snapshot.index}, ${snapshot.bytes} bytes`
  await context.terminal.line(taken ? `taken: ${what}` : `nothing new: ${what}`)
}
