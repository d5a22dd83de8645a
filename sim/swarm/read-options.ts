import { parseArgs } from 'node:util'
import { BROKER_NAMES, type BrokerName } from './brokers.ts'

export const USAGE = `Usage: npm start -- [--seconds N] [--brokers ${BROKER_NAMES.join(',')}] [--json]
A node and a mixed swarm, each type of agent in a process of its own, until Ctrl-C or for N seconds; then one line of JSON.
On brokers: one server of each is started, the swarm is bound to them by intent, and Kafka is restarted at one third.

Examples:
  $ npm start
  $ npm start -- --seconds 15 --json
  $ npm start -- --brokers kafka,nats --seconds 20 --json`

export interface StartOptions {
  /** Infinity: until Ctrl-C. */
  readonly seconds: number
  /** Empty: a log of the node's own. */
  readonly brokers: readonly BrokerName[]
  readonly json: boolean
  readonly help: boolean
  /** What is wrong with the command line. */
  readonly problem?: string
}

export function readOptions(): StartOptions {
  const none = { seconds: Number.POSITIVE_INFINITY, brokers: [], json: false, help: false }
  try {
    const { values } = parseArgs({
      options: {
        seconds: { type: 'string' },
        brokers: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    const seconds = values.seconds === undefined ? Number.POSITIVE_INFINITY : Number(values.seconds)
    if (!(seconds > 0)) return { ...none, problem: 'N is a positive number' }
    return { ...values, seconds, brokers: values.brokers === undefined ? [] : brokerNames(values.brokers) }
  } catch (error) {
    return { ...none, problem: (error as Error).message }
  }
}

function brokerNames(text: string): readonly BrokerName[] {
  return [...new Set(text.split(','))].map((name) => {
    const known = BROKER_NAMES.find((one) => one === name)
    if (known === undefined) throw new Error(`--brokers: "${name}" is none of ${BROKER_NAMES.join(', ')}`)
    return known
  })
}
