import { crc32 } from 'node:zlib'
import type { Entry } from '../../src/raft/index.ts'

/** What clients propose; `level` raises the replicated feature level. */
export type Command =
  | {
      readonly type: 'write'
      readonly client: string
      readonly sequence: number
      readonly key: string
      readonly value: string
      readonly atMs: number
      /** Bytes that only make the entry larger. */
      readonly padding?: string
    }
  | {
      readonly type: 'cas'
      readonly client: string
      readonly sequence: number
      readonly key: string
      readonly expected: string | null
      readonly next: string
      readonly atMs: number
    }
  | { readonly type: 'level'; readonly level: number }

export interface Reply {
  /** `cas`: whether it was exchanged; else null. */
  readonly result: boolean | null
  /** The entry that took effect: of a repeat, the first one. */
  readonly index: number
  /** A repeat of what was done before. */
  readonly isRepeat: boolean
  /** An older command than the session's last: it has no effect any more. */
  readonly isStale: boolean
}

interface Session {
  readonly sequence: number
  readonly index: number
  readonly result: boolean | null
}

interface Image {
  readonly applied: number
  readonly level: number
  readonly logTimeMs: number
  readonly outputs: number
  readonly values: ReadonlyArray<readonly [string, string]>
  readonly sessions: ReadonlyArray<readonly [string, Session]>
}

/**
 * The replicated state of the simulation: a map, sessions that make repeats harmless, a log time that never goes back,
 * a feature level. Its hash is kept up with each change, so that replicas can be compared after every entry.
 */
export class StateMachine {
  applied = 0
  level = 1
  logTimeMs = 0
  /** How many outputs were emitted, repeats not counted. */
  outputs = 0
  readonly #versionMax: number
  readonly #values = new Map<string, string>()
  readonly #sessions = new Map<string, Session>()
  #contentHash = 0

  /** `versionMax`: the highest feature level that this build of the machine understands. */
  constructor(versionMax: number, image?: Uint8Array) {
    this.#versionMax = versionMax
    if (image !== undefined) this.#load(JSON.parse(new TextDecoder().decode(image)))
  }

  get hash(): number {
    return crc32(`${this.#contentHash} ${this.applied} ${this.level} ${this.logTimeMs} ${this.outputs}`)
  }

  value(key: string): string | null {
    return this.#values.get(key) ?? null
  }

  /** Undefined for entries that are no commands. */
  apply(entry: Entry): Reply | undefined {
    if (entry.index !== this.applied + 1) throw new Error(`entry ${entry.index} follows entry ${this.applied}`)
    this.applied = entry.index
    if (entry.kind !== 'command') return undefined
    const command: Command = JSON.parse(new TextDecoder().decode(entry.data))
    if (command.type !== 'level') return this.#applyForSession(command, entry.index)
    this.level = Math.max(this.level, command.level)
    this.#checkLevel()
    return { result: null, index: entry.index, isRepeat: false, isStale: false }
  }

  #applyForSession(command: Exclude<Command, { readonly type: 'level' }>, index: number): Reply {
    const { client, sequence } = command
    const before = this.#sessions.get(client)
    if (before !== undefined && sequence <= before.sequence) {
      const isStale = sequence < before.sequence
      return { result: before.result, index: before.index, isRepeat: true, isStale }
    }
    this.logTimeMs = Math.max(this.logTimeMs, command.atMs)
    this.outputs += 1
    const result = command.type === 'write' ? this.#write(command.key, command.value) : this.#exchange(command)
    const session = { sequence, index, result }
    if (before !== undefined) this.#mix(sessionText(client, before), -1)
    this.#mix(sessionText(client, session), 1)
    this.#sessions.set(client, session)
    return { result, index, isRepeat: false, isStale: false }
  }

  #write(key: string, value: string): null {
    const before = this.#values.get(key)
    if (before !== undefined) this.#mix(`${key}=${before}`, -1)
    this.#mix(`${key}=${value}`, 1)
    this.#values.set(key, value)
    return null
  }

  #exchange({ key, expected, next }: Extract<Command, { readonly type: 'cas' }>): boolean {
    if (this.value(key) !== expected) return false
    this.#write(key, next)
    return true
  }

  /** The sum of the hashes of all parts: what is taken out is subtracted. */
  #mix(text: string, sign: 1 | -1): void {
    this.#contentHash = (this.#contentHash + sign * crc32(text)) >>> 0
  }

  image(): Uint8Array {
    const image: Image = {
      applied: this.applied,
      level: this.level,
      logTimeMs: this.logTimeMs,
      outputs: this.outputs,
      values: [...this.#values].sort(byName),
      sessions: [...this.#sessions].sort(byName),
    }
    return new TextEncoder().encode(JSON.stringify(image))
  }

  #load(image: Image): void {
    this.applied = image.applied
    this.level = image.level
    this.logTimeMs = image.logTimeMs
    this.outputs = image.outputs
    for (const [key, value] of image.values) this.#write(key, value)
    for (const [client, session] of image.sessions) {
      this.#sessions.set(client, session)
      this.#mix(sessionText(client, session), 1)
    }
    this.#checkLevel()
  }

  #checkLevel(): void {
    if (this.level <= this.#versionMax) return
    throw new Error(`feature level ${this.level} was activated while a version ${this.#versionMax} is a member`)
  }
}

export function encodeCommand(command: Command): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(command))
}

export function decodeCommand(data: Uint8Array): Command {
  return JSON.parse(new TextDecoder().decode(data))
}

function sessionText(client: string, { sequence, index, result }: Session): string {
  return `${client}#${sequence} ${index} ${result}`
}

function byName(one: readonly [string, unknown], other: readonly [string, unknown]): number {
  return one[0] < other[0] ? -1 : 1
}
