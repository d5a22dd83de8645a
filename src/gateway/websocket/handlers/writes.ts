import { isOwnTopic } from '../../../bus/index.ts'
import { ANONYMOUS } from '../../../channel/index.ts'
import { recordCursor } from '../../../log/index.ts'
import { type CallResult, type IncomingCall, Lane } from '../../../wire/index.ts'
import type { ConnectionContext } from '../connection-context.ts'
import { parseHead, writeHead } from '../heads.ts'
import { writeCost } from '../write-cost.ts'
import { WriteTurns } from '../write-turns.ts'

/** Bodies that a client encoded, appended as they are. */
export class Writes {
  readonly #context: ConnectionContext
  readonly #turns = new WriteTurns()
  #underWay = 0
  #settled: PromiseWithResolvers<void> | undefined

  constructor(context: ConnectionContext) {
    this.#context = context
  }

  async write(call: IncomingCall): Promise<CallResult> {
    const { principal = this.#context.principal, ...write } = parseHead(writeHead, call.head)
    this.#authorise(principal, call.body)
    const wait = this.#admit(write.topic, principal, call.body)
    this.#underWay += 1
    let over: (() => void) | undefined
    try {
      const receipt = await this.#turns.start(write.topic, wait, () => {
        // Not while it waits for its quota: telemetry would wait with it.
        over = call.lane === Lane.urgent ? this.#context.precedence.begin() : undefined
        return this.#context.bus.writeEncoded({ ...write, body: call.body })
      })
      const { accepted, duplicates, durability } = receipt
      return { head: { sequence: receipt.last.sequence, accepted, duplicates, durability } }
    } finally {
      over?.()
      // Written or refused, the bus has done with the body.
      if (call.memory !== undefined) this.#context.pool.give(call.memory)
      this.#underWay -= 1
      if (this.#underWay === 0) this.#settled?.resolve()
    }
  }

  async settled(): Promise<void> {
    if (this.#underWay === 0) return
    this.#settled ??= Promise.withResolvers<void>()
    await this.#settled.promise
  }

  #admit(topic: string, principal: string | undefined, body: Uint8Array): Promise<void> | undefined {
    const { admission, agents } = this.#context
    if (admission === undefined || isOwnTopic(topic)) return undefined
    return admission.admitAll(writeCost(body, { topic, principal: principal ?? ANONYMOUS, agents: agents() }))
  }

  /** Every distinct subject: the table at the front of the body has them all, which the bus checks. */
  #authorise(principal: string | undefined, body: Uint8Array): void {
    const { authorise } = this.#context
    if (authorise === undefined) return
    for (const subject of recordCursor(body, 0, 0).subjects()) authorise(principal, 'publish', subject)
  }
}
