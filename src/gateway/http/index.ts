export type { HttpGateway, HttpGatewayOptions } from './http-gateway.ts'
export { httpGateway } from './http-gateway.ts'
export { checkLocalRequest } from './local-only.ts'
export type { HostedLog, LogPage, ProbeReport, Probes } from './services.ts'
