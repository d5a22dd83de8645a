import type { Liveness } from '../ports.ts'

/** How the roster showed an agent at one moment. */
export interface Sighting {
  readonly epoch: number
  readonly liveness: Liveness
  /** Node time of the last thing heard of it; of its leaving, for one that left. */
  readonly seenAtMs: number
}

/**
 * Whether a command can have reached no session of its agent, from what the roster showed when it was sent and shows now
 * that its deadline has passed. True only when it is certain: the agent had left before, or had been silent for longer
 * than its lease (an agent claims nothing without one), and nothing was heard of it since.
 */
export function isUndelivered(
  command: { readonly sentAtMs: number; readonly sentEpoch: number },
  before: Sighting | undefined,
  now: Sighting | undefined,
  leaseMs: number,
): boolean {
  if (before === undefined || now === undefined) return false
  if (before.epoch !== command.sentEpoch || now.epoch !== command.sentEpoch) return false
  if (now.liveness === 'alive' || now.seenAtMs !== before.seenAtMs) return false
  if (before.liveness === 'alive') return false
  const silentFromMs = before.liveness === 'left' ? before.seenAtMs : before.seenAtMs + leaseMs
  return silentFromMs <= command.sentAtMs
}
