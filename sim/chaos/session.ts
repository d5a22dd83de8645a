import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from '../../src/core/index.ts'
import type { Operation, OperationValue } from '../../testing/index.ts'
import { encodeMapCommand } from '../members/map-machine.ts'
import type { CallClient } from './call-client.ts'

export interface SessionOptions {
  /** Of one session alone. */
  readonly name: string
  readonly members: ReadonlyMap<number, CallClient>
  readonly random: Random
  readonly nowNs: () => number
  readonly record: (operation: Operation) => void
  /**
   * Reads from this member alone, again and again without waiting for answers: so that one that stands still, or is cut off,
   * finds reads that began when others had long gone on.
   */
  readonly readsFrom?: number
}

/** Drawn for each attempt: some go elsewhere while a leader that was cut off still believes that it leads. */
const ATTEMPT_MS = { least: 60, most: 600 }
const CALL_MS = 3_000
/** Longer than any pause: what a member says right after one must be heard. */
const PATIENT_MS = 8_000
const PATIENT_EVERY_MS_MAX = 40
const PATIENT_CALLS_MAX = 128
const THINK_MS_MAX = 8
const AGAIN_MS_MAX = 30
const SHARES = { read: 0.25, cas: 0.2 }

/** One caller, one call at a time: the same command again until it is answered or time is up. */
export class Session {
  readonly #options: SessionOptions
  #number = 0
  #leader: number | undefined
  #lastSeen = new Map<string, OperationValue>()
  #keys: readonly string[] = []
  #isStopped = true

  constructor(options: SessionOptions) {
    this.#options = options
  }

  stop(): void {
    this.#isStopped = true
  }

  /** Calls on these keys until it is stopped. */
  async run(keys: readonly string[]): Promise<void> {
    const { random, readsFrom } = this.#options
    this.#keys = keys
    this.#isStopped = false
    this.#lastSeen.clear()
    if (readsFrom !== undefined) return this.#readOnAndOn(readsFrom)
    while (!this.#isStopped) {
      await delay(random.float() * THINK_MS_MAX)
      if (random.float() < SHARES.read) await this.#read()
      else await this.#command()
    }
  }

  #pick<Item>(items: readonly Item[]): Item {
    return items[Math.floor(this.#options.random.float() * items.length)]!
  }

  async #readOnAndOn(member: number): Promise<void> {
    const open = new Set<Promise<void>>()
    while (!this.#isStopped) {
      await delay(this.#options.random.float() * PATIENT_EVERY_MS_MAX)
      if (open.size >= PATIENT_CALLS_MAX) continue
      const call = this.#readPatiently(member).finally(() => open.delete(call))
      open.add(call)
    }
    await Promise.all(open)
  }

  async #readPatiently(member: number): Promise<void> {
    const { nowNs, members } = this.#options
    const key = this.#pick(this.#keys)
    const callNs = nowNs()
    const outcome = await members.get(member)!.read(key, PATIENT_MS)
    if (outcome.status === 'done') this.#wasRead(key, { callNs, value: (outcome.answer as OperationValue[])[0]! })
  }

  #wasRead(key: string, { callNs, value }: { readonly callNs: number; readonly value: OperationValue }): void {
    const { name, nowNs, record } = this.#options
    this.#lastSeen.set(key, value)
    record({ client: name, op: 'read', key, value: null, result: value, callNs, returnNs: nowNs(), status: 'ok' })
  }

  #attemptMs(): number {
    return ATTEMPT_MS.least + this.#options.random.float() * (ATTEMPT_MS.most - ATTEMPT_MS.least)
  }

  #pause(): Promise<void> {
    return delay(this.#options.random.float() * AGAIN_MS_MAX)
  }

  /** From any member: each must give what is right, or nothing. Each attempt is a call of its own: a read leaves no trace. */
  async #read(): Promise<void> {
    const { members, nowNs } = this.#options
    const key = this.#pick(this.#keys)
    const endMs = performance.now() + CALL_MS
    while (performance.now() < endMs) {
      const callNs = nowNs()
      const outcome = await members.get(this.#pick([...members.keys()]))!.read(key, this.#attemptMs())
      if (outcome.status === 'done') {
        this.#wasRead(key, { callNs, value: (outcome.answer as OperationValue[])[0]! })
        return
      }
      await this.#pause()
    }
  }

  async #command(): Promise<void> {
    const { name, random, nowNs, record } = this.#options
    this.#number += 1
    const key = this.#pick(this.#keys)
    const written = `${name}-${this.#number}`
    const expected = random.float() < SHARES.cas ? (this.#lastSeen.get(key) ?? null) : undefined
    const callNs = nowNs()
    const bytes = encodeMapCommand({
      ...{ client: name, number: this.#number, key, value: written },
      ...(expected !== undefined && { expected }),
    })
    const { status, result } = await this.#attempt(bytes)
    const value = expected === undefined ? written : ([expected, written] as const)
    const op = expected === undefined ? 'write' : 'cas'
    if (status === 'ok' && result !== false) this.#lastSeen.set(key, written)
    record({ client: name, op, key, value, result, callNs, returnNs: nowNs(), status })
  }

  async #attempt(bytes: Uint8Array): Promise<Pick<Operation, 'status' | 'result'>> {
    const { members } = this.#options
    const endMs = performance.now() + CALL_MS
    let mayHaveHappened = false
    while (performance.now() < endMs) {
      const target = this.#leader ?? this.#pick([...members.keys()])
      const outcome = await members.get(target)!.append(bytes, this.#attemptMs())
      if (outcome.status === 'done') {
        this.#leader = target
        const [answer] = outcome.answer as [{ readonly result: boolean | null }]
        return { status: 'ok', result: answer.result }
      }
      if (outcome.status === 'unknown') mayHaveHappened = true
      this.#leader = outcome.status === 'refused' ? outcome.leader : undefined
      await this.#pause()
    }
    return { status: mayHaveHappened ? 'unknown' : 'fail', result: null }
  }
}
