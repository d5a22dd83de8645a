import { createHash } from 'node:crypto'
import type { LogEntry } from '../../src/consensus/index.ts'
import type { OperationValue } from '../../testing/index.ts'
import type { Machine } from './machine.ts'

/** A write, or a compare-and-set, of one client: the same number means the same command, sent again. */
export interface MapCommand {
  readonly client: string
  /** From 1, rising: a client has one command under way at a time. */
  readonly number: number
  readonly key: string
  readonly value: OperationValue
  /** Of a compare-and-set: what the key must hold. */
  readonly expected?: OperationValue
}

interface Session {
  readonly number: number
  /** Of a compare-and-set: whether it was exchanged. Of a write: null. */
  readonly result: boolean | null
}

/** Numbers that took effect, as ranges: `[1, 7, 9, 12]` for 1 to 7 and 9 to 12. */
type Ranges = number[]

export interface MapAudit {
  readonly ranges: Readonly<Record<string, Ranges>>
  /** Of everything: members that agree have the same. */
  readonly digest: string
  /** How often an entry's log time was before that of the entry before it. */
  readonly timeWentBack: number
}

/** A map, with sessions that keep a command from taking effect twice, and a record of what took effect. */
export class MapMachine implements Machine {
  #values: Record<string, OperationValue> = {}
  #sessions: Record<string, Session> = {}
  #ranges: Record<string, Ranges> = {}
  #time = { lastMs: 0, wentBack: 0 }

  apply(entries: readonly LogEntry[]): void {
    for (const { data, timeMs } of entries) {
      if (timeMs < this.#time.lastMs) this.#time.wentBack += 1
      this.#time.lastMs = timeMs
      this.#apply(parse(data))
    }
  }

  #apply({ client, number, key, value, expected }: MapCommand): void {
    if (number <= (this.#sessions[client]?.number ?? 0)) return
    const isCas = expected !== undefined
    const takesEffect = !isCas || (this.#values[key] ?? null) === expected
    if (takesEffect) this.#values[key] = value
    this.#sessions[client] = { number, result: isCas ? takesEffect : null }
    this.#ranges[client] ??= []
    addTo(this.#ranges[client], number)
  }

  /** One for each command; undefined for one that its client has followed by another. */
  answer(commands: readonly Uint8Array[]): ReadonlyArray<{ readonly result: boolean | null } | null> {
    return commands.map((bytes) => {
      const { client, number } = parse(bytes)
      const session = this.#sessions[client]
      return session?.number === number ? { result: session.result } : null
    })
  }

  read(keys: readonly string[]): readonly OperationValue[] {
    return keys.map((key) => this.#values[key] ?? null)
  }

  snapshot(): Uint8Array {
    return Buffer.from(JSON.stringify([this.#values, this.#sessions, this.#ranges, this.#time]))
  }

  restore(state: Uint8Array): void {
    ;[this.#values, this.#sessions, this.#ranges, this.#time] = JSON.parse(Buffer.from(state).toString())
  }

  audit(): MapAudit {
    const sorted = [this.#values, this.#sessions, this.#ranges].map((part) =>
      Object.entries(part).sort(([left], [right]) => (left < right ? -1 : 1)),
    )
    const digest = createHash('sha256').update(JSON.stringify(sorted)).digest('hex')
    return { ranges: this.#ranges, digest, timeWentBack: this.#time.wentBack }
  }
}

export function encodeMapCommand(command: MapCommand): Uint8Array {
  return Buffer.from(JSON.stringify(command))
}

function parse(bytes: Uint8Array): MapCommand {
  return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()) as MapCommand
}

function addTo(ranges: Ranges, number: number): void {
  if (ranges.at(-1) === number - 1) ranges[ranges.length - 1] = number
  else ranges.push(number, number)
}
