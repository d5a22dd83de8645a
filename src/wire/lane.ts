/**
 * Messages of one lane keep their order; a lane that comes first never waits for a later one. Commands, outcomes,
 * requests, pulses, acknowledgments and control are urgent; events and notices are normal; telemetry is bulk.
 */
export const Lane = { urgent: 0, normal: 1, bulk: 2 } as const

export type Lane = (typeof Lane)[keyof typeof Lane]

export const LANES: readonly Lane[] = [Lane.urgent, Lane.normal, Lane.bulk]

export function isLane(value: number): value is Lane {
  return value <= Lane.bulk
}

/** The lane of what is written to or read from a topic of this intent. */
export function laneOfIntent(intent: string): Lane {
  if (intent === 'telemetry') return Lane.bulk
  return intent === 'command' || intent === 'query' ? Lane.urgent : Lane.normal
}
