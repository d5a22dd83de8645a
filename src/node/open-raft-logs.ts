import { openRaftLog } from '../consensus/index.ts'
import { type Clock, type Disk, type MutualTls, type Network, type Random, SkeinError } from '../core/index.ts'
import { type NodeConfig, type RaftConfig, resolveSecret } from '../fabric/index.ts'
import { HostedRaftLog } from './hosted-raft-log.ts'
import { isLoopback } from './listen-address.ts'

export interface RaftLogParts {
  readonly clock: Clock
  readonly random: Random
  readonly disk: Disk
  readonly network: Network
  /** Closes it with the node. */
  readonly keep: <Part extends { close(): Promise<void> | void }>(part: Part) => Part
}

/** This node's part in each replicated log that its configuration names. Rejects as `openRaftLog()` does. */
export async function openRaftLogs(
  config: NodeConfig,
  parts: RaftLogParts,
): Promise<ReadonlyMap<string, HostedRaftLog>> {
  const logs = new Map<string, HostedRaftLog>()
  for (const [name, group] of Object.entries(config.raft)) logs.set(name, await open(name, group, { ...parts, config }))
  return logs
}

async function open(
  name: string,
  group: RaftConfig,
  { config, keep, ...machine }: RaftLogParts & { readonly config: NodeConfig },
): Promise<HostedRaftLog> {
  const { members, join, advertise, directory, tls, ...rest } = group
  if (tls === undefined) checkListen(name, group.listen)
  const log = await openRaftLog({
    ...machine,
    ...rest,
    directory: directory ?? `${config.data ?? '.'}/raft/${name}`,
    ...(advertise !== undefined && { advertise }),
    ...(!join && { bootstrap: members }),
    ...(tls !== undefined && { tls: await certificates(tls) }),
  })
  keep(log)
  const urls = members.flatMap(({ id, url }) => (url === undefined ? [] : [[String(id), url] as const]))
  return new HostedRaftLog(log, new Map(urls))
}

/** Members who prove who they are may come from anywhere. */
function checkListen(name: string, listen: string): void {
  const host = listen.slice(0, listen.lastIndexOf(':'))
  if (isLoopback(host)) return
  const message = `Cannot listen for members of "${name}" on ${listen}: it is wider than loopback; give raft.${name}.tls, by which members prove who they are`
  throw new SkeinError('unauthorised', message, { details: { host } })
}

async function certificates({ key, certificate, authority }: MutualTls): Promise<MutualTls> {
  return {
    key: await resolveSecret(key),
    certificate: await resolveSecret(certificate),
    authority: await resolveSecret(authority),
  }
}
