import type { Clock, Random } from '../../../core/index.ts'

export interface NatsBusOptions {
  /** `nats://host:4222`, with `user:password@` where it needs one, or `tls://…`; several for a cluster. */
  readonly url: string | readonly string[]
  readonly clock: Clock
  readonly random: Random
  /** What the server shows of this connection. Default `skein`. */
  readonly name?: string
  /** `core`: no JetStream is used, and only ephemeral topics can be opened. Default `jetstream`. */
  readonly mode?: 'jetstream' | 'core'
  readonly token?: string
  /** The text of a `.creds` file. */
  readonly credentials?: string
  readonly tls?: NatsTls
  /** Of topics that name none. Default 1. */
  readonly replicationFactor?: number
  /**
   * The operator's word that every server runs with `sync_interval: always`, which a client cannot read: receipts then say
   * `durable` or `quorum-durable`, marked as asserted. Default false.
   */
  readonly syncAlways?: boolean
  /** How long the first connection is tried for. Default 10,000. */
  readonly connectTimeoutMs?: number
  /** Longest wait before another try, of which a random part is waited. Default 5,000. */
  readonly reconnectDelayMsMax?: number
  /** How often a silent connection is asked whether it is there; two unanswered mean it is not. Default 10,000. */
  readonly pingIntervalMs?: number
  /** How long one request to JetStream may take before its outcome is unknown. Default 5,000. */
  readonly requestTimeoutMs?: number
  readonly onState?: (state: ConnectionState) => void
  /** Ends the tries for the first connection. */
  readonly signal?: AbortSignal
}

/** PEM texts. */
export interface NatsTls {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

export type ConnectionState =
  | { readonly state: 'connected'; readonly server: string; readonly version: string }
  | { readonly state: 'reconnecting'; readonly error: Error | undefined }
  | { readonly state: 'closed'; readonly error: Error | undefined }
