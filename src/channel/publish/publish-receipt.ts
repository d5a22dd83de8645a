import type { Receipt } from '../../bus/index.ts'

/** Where the batch of a publish went, and what it survives. All messages of one batch share one receipt. */
export interface PublishReceipt extends Receipt {
  readonly topic: string
}
