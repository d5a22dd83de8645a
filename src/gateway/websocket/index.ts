export type { Authorise, Verb } from './access.ts'
export type { WebsocketGateway, WebsocketGatewayOptions, WebsocketLimits } from './websocket-gateway.ts'
export { websocketGateway } from './websocket-gateway.ts'
