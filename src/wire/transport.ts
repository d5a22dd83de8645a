/**
 * What carries frames: a WebSocket, or an in-memory pair in tests. It keeps message boundaries and order, and loses
 * nothing until it is closed.
 */
export interface Transport {
  /** Bytes given to `send` that have not left this process. */
  readonly bufferedBytes: number
  /** Takes the bytes over: the caller does not touch them again. */
  send(frame: Uint8Array): void
  /** Frames sent between the two may leave together. */
  cork(): void
  uncork(): void
  /** Sends what is buffered, then closes. Idempotent. */
  close(reason: CloseReason): void
  /** Closes at once, dropping what is buffered. Idempotent. */
  destroy(): void
  /** Called once, before anything comes. */
  attach(events: TransportEvents): void
}

export interface TransportEvents {
  onFrame(frame: Uint8Array): void
  /** `bufferedBytes` has fallen. The frame, when it is given, has left: its memory may be used again. */
  onSent(frame?: Uint8Array): void
  /** Once, whoever closed. */
  onClosed(error?: Error): void
}

/** Why a connection ends, in the words of the protocol. */
export interface CloseReason {
  readonly code: string
  readonly message: string
}
