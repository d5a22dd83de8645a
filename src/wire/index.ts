export { failureFromHead, failureToHead } from './failure.ts'
export {
  decodeFrame,
  encodeFrameHeader,
  FRAME_HEADER_BYTES,
  FRAME_PAYLOAD_BYTES_MAX,
  FrameKind,
  malformed,
} from './frame.ts'
export type { Hello, Welcome } from './handshake.ts'
export { helloFromHead, helloToHead, welcomeFromHead, welcomeToHead } from './handshake.ts'
export { LANES, Lane, laneOfIntent } from './lane.ts'
export type { Head, WireMessage } from './message.ts'
export { Operation } from './operation.ts'
export { PartialMessages } from './partial-messages.ts'
export { Precedence } from './precedence.ts'
export type { IncomingCall } from './served-calls.ts'
export type { CallOptions, CallResult, CastOptions, SessionHandlers, SessionLimits } from './session.ts'
export { SESSION_LIMITS, Session } from './session.ts'
export type { CloseReason, Transport, TransportEvents } from './transport.ts'
export type { Corkable, WebSocketLike } from './websocket-transport.ts'
export { websocketTransport } from './websocket-transport.ts'
