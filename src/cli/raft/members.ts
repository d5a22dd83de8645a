import type { CommandContext } from '../context.ts'
import { table } from '../terminal.ts'
import type { MemberTold, RaftClient, RaftOptions } from './raft-client.ts'

interface Tell {
  readonly options: RaftOptions
  readonly context: CommandContext
}

export async function tellMembers(client: RaftClient, to: Tell): Promise<void> {
  const { members, leader } = await client.log()
  await tell(members, { ...to, leader: leader?.id })
}

export async function addMember(
  client: RaftClient,
  member: { readonly id: string; readonly address: string; readonly learner: boolean },
  to: Tell,
): Promise<void> {
  const body = JSON.stringify(member)
  const { members } = await client.at<{ members: readonly MemberTold[] }>('/members', { method: 'POST', body })
  await tell(members, to)
}

export async function removeMember(client: RaftClient, id: string, to: Tell): Promise<void> {
  const { members } = await client.at<{ members: readonly MemberTold[] }>(`/members/${id}`, { method: 'DELETE' })
  await tell(members, to)
}

export async function transferTo(client: RaftClient, id: string, { options, context }: Tell): Promise<void> {
  const body = JSON.stringify({ to: id })
  const answer = await client.at<{ leader: string }>('/transfer', { method: 'POST', body })
  await context.terminal.line(options.json ? JSON.stringify(answer) : `node ${answer.leader} leads`)
}

async function tell(
  members: readonly MemberTold[],
  { options, context, leader }: Tell & { readonly leader?: string | undefined },
): Promise<void> {
  if (options.json) return context.terminal.line(JSON.stringify({ members }))
  const rows = members.map(({ id, kind, address, url }) => [id, kind, address, url ?? '', id === leader ? 'leads' : ''])
  await context.terminal.line(table([['id', 'kind', 'address', 'http', ''], ...rows]))
}
