import type { Capabilities, Support } from '../../src/bus/index.ts'
import type { BrokerSemantics, Semantics } from './broker-semantics.ts'

/** Every capability has a row; what a topic's own settings decide has none. */
type Told = Omit<Capabilities, 'driver' | 'durability' | 'messageBytesMax' | 'partitions'>

const ROWS: Readonly<Record<keyof Told, string>> = {
  order: 'order per key',
  totalOrder: 'positions that are dense and never used twice',
  groups: 'consumer groups',
  broadcast: 'readers of everything',
  replayByPosition: 'replay by position',
  replayByTime: 'replay by time',
  retry: 'retry, counted, in order per key',
  deadLetters: 'dead letters',
  deduplication: 'repeated ids found',
  transactions: 'transactions (consume, process, produce)',
  compaction: 'compaction to the last value of a key',
  ttl: 'time to live per message',
  wildcards: 'filters by subject at the broker',
  requests: 'request and reply beside it',
  headers: 'headers',
  lag: 'lag',
  backPressure: 'a slow reader may slow its writers',
}

const CELLS: Readonly<Record<Support, string>> = { native: 'yes', emulated: 'by Skein', none: 'no' }

/** Markdown: what is kept, then what passes. */
export function semanticsTables({ kept, passing }: BrokerSemantics): string {
  return [
    '### Topics that are kept: telemetry, events, commands',
    table(kept),
    '### Topics that pass: notices, queries, pulses',
    table(passing),
  ].join('\n\n')
}

function table(columns: readonly Semantics[]): string {
  const rows: string[][] = [
    ['', ...columns.map(({ name }) => name)],
    ['---', ...columns.map(() => '---')],
  ]
  rows.push(['an acknowledgment means, on one server', ...columns.map(({ alone }) => `\`${alone.durability}\``)])
  if (columns.some(({ ofThree }) => ofThree !== undefined)) {
    const ofThree = columns.map(({ ofThree }) => (ofThree === undefined ? '' : `\`${ofThree}\``))
    rows.push(['an acknowledgment means, on three', ...ofThree])
  }
  for (const [capability, label] of Object.entries(ROWS) as Array<[keyof Told, string]>) {
    rows.push([label, ...columns.map(({ alone }) => cellOf(alone[capability]))])
  }
  return rows.map((row) => `| ${row.join(' | ')} |`).join('\n')
}

function cellOf(value: Support | boolean): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  return CELLS[value]
}
