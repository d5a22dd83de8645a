import type { Clock } from '../core/index.ts'
import type { NodeLog } from '../node/index.ts'

const LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const
type Level = (typeof LEVELS)[number]

/** The node's log as lines: one JSON object each, or plain text. What is below the level is dropped. */
export function nodeLog(options: {
  readonly level: Level
  readonly json: boolean
  readonly clock: Clock
  readonly write: (line: string) => void
}): NodeLog {
  const lowest = LEVELS.indexOf(options.level)
  const at =
    (level: Exclude<Level, 'silent'>) =>
    (message: string, facts: Readonly<Record<string, unknown>> = {}) => {
      if (LEVELS.indexOf(level) < lowest) return
      const time = new Date(options.clock.nowMs()).toISOString()
      if (options.json) options.write(JSON.stringify({ time, level, message, ...facts }))
      else options.write([time, level.padEnd(5), message, ...Object.entries(facts).map(pair)].join(' '))
    }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

function pair([name, value]: [string, unknown]): string {
  return `${name}=${typeof value === 'string' && !/\s/.test(value) ? value : JSON.stringify(value)}`
}
