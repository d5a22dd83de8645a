/** What a person sees while the swarm runs. */
export interface ViewState {
  readonly url: string
  readonly elapsedSeconds: number
  readonly agents: readonly AgentRow[]
  /** Reports per second of each topic, over the last second or so. */
  readonly rates: ReadonlyMap<string, number>
  /** Messages and seconds each consumer is behind. */
  readonly lags: readonly LagRow[]
  readonly outcomes: ReadonlyMap<string, number>
  /** Newest last. */
  readonly news: readonly string[]
}

export interface AgentRow {
  readonly id: string
  readonly type: string
  readonly region: string
  readonly epoch: number
  readonly liveness: string
}

interface LagRow {
  readonly group: string
  readonly messages: number
  readonly seconds: number
}

const MARKS: Readonly<Record<string, string>> = { alive: '●', suspect: '◐', lost: '○', left: '·' }
const NEWS_SHOWN = 8

/** The whole screen as text, no line wider than `columns`. Pure. */
export function renderView(state: ViewState, columns: number): string {
  const lines = [
    `Skein swarm on ${state.url}, ${state.elapsedSeconds.toFixed(0)} s`,
    '',
    ...state.agents.map(agentLine),
    '',
    `telemetry  ${list([...state.rates].map(([topic, rate]) => `${topic} ${Math.round(rate)}/s`))}`,
    `consumers  ${list(state.lags.map((lag) => `${lag.group} ${lag.messages} behind, ${lag.seconds.toFixed(1)} s`))}`,
    `commands   ${list([...state.outcomes].map(([outcome, count]) => `${count} ${outcome}`))}`,
    '',
    ...state.news.slice(-NEWS_SHOWN),
  ]
  return lines.map((line) => (line.length > columns ? `${line.slice(0, columns - 1)}…` : line)).join('\n')
}

/** One line for where there is no screen: a log file, a pipe. */
export function renderLine(state: ViewState): string {
  const alive = state.agents.filter((agent) => agent.liveness === 'alive').length
  const rate = [...state.rates.values()].reduce((total, each) => total + each, 0)
  const outcomes = list([...state.outcomes].map(([outcome, count]) => `${count} ${outcome}`))
  return `${state.elapsedSeconds.toFixed(0)} s: ${alive} of ${state.agents.length} agents alive, ${Math.round(rate)} reports/s, commands: ${outcomes}`
}

function agentLine(agent: AgentRow): string {
  const mark = MARKS[agent.liveness] ?? '?'
  return `  ${mark} ${agent.id.padEnd(12)} ${agent.type.padEnd(12)} ${agent.region.padEnd(7)} epoch ${String(agent.epoch).padEnd(6)} ${agent.liveness}`
}

function list(items: readonly string[]): string {
  return items.length === 0 ? '(none yet)' : items.join(' · ')
}
