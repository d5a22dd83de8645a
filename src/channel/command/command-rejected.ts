import { SkeinError } from '../../core/index.ts'

/** Thrown by a handler that refuses a command before doing anything: the outcome is `rejected`, with this message. */
export class CommandRejected extends SkeinError {
  override readonly name = 'CommandRejected'

  constructor(message: string, options: { readonly cause?: unknown } = {}) {
    super('command-rejected', message, options)
  }
}
