/** A command as a handler gets it. */
export interface ReceivedCommand<Value> {
  readonly intentId: string
  readonly sender: string
  readonly type: string
  readonly value: Value
  /** Until when it could be claimed, node time. */
  readonly deadlineMs: number
  /** It had been claimed before a crash and may have taken effect already: only when declared idempotent. */
  readonly again: boolean
}

export interface HandlerContext {
  /** Aborts when the command is replaced, when it runs too long, when the agent is fenced or closed. */
  readonly signal: AbortSignal
}

export type CommandHandler<Value, Reply> = (
  command: ReceivedCommand<Value>,
  context: HandlerContext,
) => Promise<Reply> | Reply
