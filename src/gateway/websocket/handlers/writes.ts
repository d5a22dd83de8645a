import { recordCursor } from '../../../log/index.ts'
import { type CallResult, type IncomingCall, Lane } from '../../../wire/index.ts'
import type { ConnectionContext } from '../connection-context.ts'
import { parseHead, writeHead } from '../heads.ts'

/** Bodies that a client encoded, appended as they are. */
export class Writes {
  readonly #context: ConnectionContext
  #underWay = 0
  #settled: PromiseWithResolvers<void> | undefined

  constructor(context: ConnectionContext) {
    this.#context = context
  }

  async write(call: IncomingCall): Promise<CallResult> {
    const { principal, ...write } = parseHead(writeHead, call.head)
    this.#authorise(principal ?? this.#context.principal, call.body)
    this.#underWay += 1
    const over = call.lane === Lane.urgent ? this.#context.precedence.begin() : undefined
    try {
      const receipt = await this.#context.bus.writeEncoded({ ...write, body: call.body })
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

  /** Every distinct subject: the table at the front of the body has them all, which the bus checks. */
  #authorise(principal: string | undefined, body: Uint8Array): void {
    const { authorise } = this.#context
    if (authorise === undefined) return
    for (const subject of recordCursor(body, 0, 0).subjects()) authorise(principal, 'publish', subject)
  }
}
