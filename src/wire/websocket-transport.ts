import type { Clock } from '../core/index.ts'
import type { CloseReason, Transport, TransportEvents } from './transport.ts'

/** The part of the `ws` library's WebSocket that both sides use; the library itself stays with the driver and the gateway. */
export interface WebSocketLike {
  readonly bufferedAmount: number
  binaryType: string
  send(data: Uint8Array, options: { readonly binary: boolean }, done: (error?: Error) => void): void
  close(code?: number, reason?: string): void
  pause(): void
  resume(): void
  terminate(): void
  on(event: 'message', listener: (data: Uint8Array, isBinary: boolean) => void): unknown
  on(event: 'close', listener: (code: number, reason: Uint8Array) => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
}

// RFC 6455 §7.4.1: protocol error, policy violation, try again later, normal closure.
const CLOSE_CODES: Readonly<Record<string, number>> = {
  'malformed-frame': 1002,
  'future-version': 1002,
  unauthorised: 1008,
  'slow-consumer': 1008,
  overloaded: 1013,
}
const NORMAL_CLOSURE = 1000

// RFC 6455 §5.5: a control frame carries 125 bytes, two of them the code.
const REASON_BYTES_MAX = 120

/**
 * A socket that is read as fast as it fills gives megabytes in one turn of the event loop: after so many bytes the other
 * sockets, and what was synced meanwhile, have theirs.
 */
const TURN_BYTES = 128 * 1024

/** The stream beneath a WebSocket: what is written while it is corked leaves in one piece. */
export interface Corkable {
  cork(): void
  uncork(): void
}

/** Frames over a WebSocket: one binary message is one frame. */
export function websocketTransport(
  socket: WebSocketLike,
  { stream, clock }: { readonly stream: Corkable | undefined; readonly clock: Clock },
): Transport {
  let events: TransportEvents | undefined
  let turnBytes = 0
  let failure: Error | undefined
  socket.binaryType = 'nodebuffer'
  socket.on('message', (data, isBinary) => {
    // A text message is no frame: an empty one is refused with the protocol's own reason.
    events?.onFrame(isBinary ? data : new Uint8Array(0))
    turnBytes += data.length
    if (turnBytes < TURN_BYTES) return
    turnBytes = 0
    socket.pause()
    clock.setImmediate(() => socket.resume())
  })
  socket.on('error', (error) => {
    failure ??= error
  })
  socket.on('close', () => events?.onClosed(failure))
  return {
    get bufferedBytes() {
      return socket.bufferedAmount
    },
    send: (frame) =>
      socket.send(frame, { binary: true }, (error) => {
        if (error === undefined || error === null) events?.onSent(frame)
      }),
    cork: () => stream?.cork(),
    uncork: () => stream?.uncork(),
    close: (reason: CloseReason) => socket.close(CLOSE_CODES[reason.code] ?? NORMAL_CLOSURE, shortened(reason.message)),
    destroy: () => socket.terminate(),
    attach: (given) => {
      events = given
    },
  }
}

function shortened(text: string): string {
  const bytes = Buffer.from(text)
  if (bytes.length <= REASON_BYTES_MAX) return text
  // Cutting inside a character leaves replacement characters, which may be longer: ASCII alone is safe.
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, REASON_BYTES_MAX)
}
