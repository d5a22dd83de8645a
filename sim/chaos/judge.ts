import { checkLinearizability, type Operation } from '../../testing/index.ts'
import type { MapAudit } from '../members/map-machine.ts'
import { countStaleReads } from './count-stale-reads.ts'

export interface Verdict {
  readonly acked: number
  readonly reads: number
  /** Commands whose fate the client never learned. */
  readonly unknown: number
  /** Acknowledged commands that a member does not have, each counted once. */
  readonly lost: number
  readonly staleReads: number
  readonly isLinearizable: boolean
  /** What was wrong, for a person. */
  readonly problems: readonly string[]
}

/** What clients were told in one round, against each other and against what every member has in the end. */
export function judge(history: readonly Operation[], audits: readonly MapAudit[]): Verdict {
  const commands = history.filter(({ op }) => op !== 'read')
  const acked = commands.filter(({ status }) => status === 'ok')
  const lost = acked.filter((command) => audits.some((audit) => !hasCommand(audit, command)))
  const staleReads = countStaleReads(history)
  const { isLinearizable, violation } = decide(history)
  const problems = [
    ...lost.slice(0, 3).map(({ client, value }) => `${client} was told of ${JSON.stringify(value)}, and it is gone`),
    ...(staleReads > 0 ? [`${staleReads} reads gave what had been overwritten`] : []),
    ...(violation === undefined ? [] : [`key ${violation.key}: ${violation.message}`]),
  ]
  return {
    acked: acked.length,
    reads: history.filter(({ op, status }) => op === 'read' && status === 'ok').length,
    unknown: commands.filter(({ status }) => status === 'unknown').length,
    lost: lost.length,
    staleReads,
    isLinearizable,
    problems,
  }
}

/** Too much at once to be decided is no proof: the round counts as one that is not linearizable, and says why. */
function decide(history: readonly Operation[]) {
  try {
    return checkLinearizability(history)
  } catch (error) {
    return { isLinearizable: false, violation: { key: 'all', message: (error as Error).message } }
  }
}

/** Written values end with the number of their command. */
function hasCommand({ ranges }: MapAudit, { client, op, value }: Operation): boolean {
  const written = op === 'write' ? value : (value as readonly unknown[])[1]
  const number = Number(String(written).slice(client.length + 1))
  const known = ranges[client] ?? []
  for (let at = 0; at < known.length; at += 2) if (known[at]! <= number && number <= known[at + 1]!) return true
  return false
}
