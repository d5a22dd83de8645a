import type { RequestedDurability } from '../../bus/index.ts'

/** A bridge as the configuration file, or the command line, names it. */
export interface BridgeSpec {
  readonly name?: string | undefined
  readonly from: { readonly broker: string; readonly topic: string }
  /** Without a topic: that of the source. */
  readonly to: { readonly broker: string; readonly topic?: string | undefined }
  readonly subjects?: readonly string[] | undefined
  readonly durability?: RequestedDurability | undefined
  readonly create?: boolean | undefined
  readonly start?: 'earliest' | 'latest' | undefined
}
