export type { HttpGateway, HttpGatewayOptions } from './http-gateway.ts'
export { httpGateway } from './http-gateway.ts'
export { deliveryJson } from './message-json.ts'
export type { ProbeReport, Probes } from './services.ts'
