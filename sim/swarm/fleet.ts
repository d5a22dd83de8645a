/** The agents of the show: who they are, where, and how they behave. One process per type. */
export interface AgentSpec {
  readonly id: string
  readonly type: AgentType
  readonly region: string
  /** Factor on how long its handlers take. */
  readonly slowness: number
}

export type AgentType = 'quadrotor' | 'rover' | 'camera' | 'planner-bot' | 'scout'

export const FLEET: readonly AgentSpec[] = [
  { id: 'drone-1', type: 'quadrotor', region: 'north', slowness: 1 },
  { id: 'drone-2', type: 'quadrotor', region: 'north', slowness: 1 },
  { id: 'drone-3', type: 'quadrotor', region: 'south', slowness: 1 },
  { id: 'rover-1', type: 'rover', region: 'north', slowness: 1 },
  { id: 'rover-2', type: 'rover', region: 'south', slowness: 1 },
  { id: 'rover-3', type: 'rover', region: 'south', slowness: 6 },
  { id: 'camera-1', type: 'camera', region: 'north', slowness: 1 },
  { id: 'camera-2', type: 'camera', region: 'north', slowness: 1 },
  { id: 'camera-3', type: 'camera', region: 'south', slowness: 1 },
  { id: 'camera-4', type: 'camera', region: 'south', slowness: 1 },
  { id: 'planner-1', type: 'planner-bot', region: 'base', slowness: 1 },
  { id: 'planner-2', type: 'planner-bot', region: 'base', slowness: 1 },
  { id: 'scout-1', type: 'scout', region: 'south', slowness: 1 },
]

/** It has a process to itself, which is killed with SIGKILL and started again. */
export const KILLED_AGENT = 'scout-1'

/** The one whose handlers take long, so that commands waiting behind them expire. */
export const SLOW_AGENT = 'rover-3'

export const AGENT_TYPES: readonly AgentType[] = [...new Set(FLEET.map((agent) => agent.type))]
