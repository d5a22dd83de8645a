import { isJoint, membersOf } from '../../src/raft/index.ts'
import type { FaultPlan } from '../../testing/index.ts'
import { Violation } from './violation.ts'
import type { World } from './world.ts'

type Condition = FaultPlan['steadyState'][number]

/** What a plan's `steadyState` may ask of a simulated group. */
const METRICS: Readonly<Record<string, (world: World) => number>> = {
  /** Acknowledged commands that are not in the state of whoever leads; all of them while nobody does. */
  skein_acked_lost: (world) => world.oracle.ackedBeyond(world.leader()?.member?.machine.applied ?? 0),
  skein_acked_total: ({ tally }) => tally.acked,
  skein_reads_total: ({ tally }) => tally.reads,
  skein_leaders: (world) => world.running().filter(({ member }) => member!.status.role === 'leader').length,
  skein_members_down: (world) =>
    membersOf(world.configuration()).filter((id) => world.nodes.get(id)?.isRunning !== true).length,
  skein_joint_configurations: (world) => Number(isJoint(world.configuration())),
}

const HOLDS: Readonly<Record<Condition['op'], (actual: number, value: number) => boolean>> = {
  '==': (actual, value) => actual === value,
  '<': (actual, value) => actual < value,
  '<=': (actual, value) => actual <= value,
  '>': (actual, value) => actual > value,
  '>=': (actual, value) => actual >= value,
}

/** Throws for a metric that the simulator does not have. */
export function checkMetrics({ name, steadyState }: FaultPlan): void {
  const unknown = steadyState.find(({ metric }) => METRICS[metric] === undefined)
  if (unknown === undefined) return
  throw new Error(
    `Cannot play ${name}: its steadyState asks for ${unknown.metric}; there are ${Object.keys(METRICS).join(', ')}`,
  )
}

/** Throws `Violation` for the first condition that does not hold now. */
export function checkSteadyState(world: World, when: string): void {
  for (const { metric, op, value } of world.scenario.steadyState) {
    const actual = METRICS[metric]!(world)
    if (HOLDS[op](actual, value)) continue
    throw new Violation('the steady state', `${metric} is ${actual} ${when}; the plan says ${op} ${value}`)
  }
}
