import type { Message } from '../../bus/index.ts'
import type { Timer } from '../../core/index.ts'
import type { PublishReceipt } from './publish-receipt.ts'

/** Messages waiting to be written together. Whoever publishes into it holds the same promise. */
export class GatheredBatch {
  messages: Message[] = []
  readonly promise: Promise<PublishReceipt>
  readonly resolve: (receipt: PublishReceipt) => void
  readonly reject: (reason: unknown) => void
  bytes = 0
  linger: Timer | undefined

  constructor() {
    const { promise, resolve, reject } = Promise.withResolvers<PublishReceipt>()
    this.promise = promise
    this.resolve = resolve
    this.reject = reject
  }
}
