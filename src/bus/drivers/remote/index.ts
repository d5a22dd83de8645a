export type { LinkState, LinkStatus } from './link.ts'
export type { RemoteBus, RemoteBusOptions } from './remote-bus.ts'
export { connectRemoteBus } from './remote-bus.ts'
