export { connectNatsBus, NatsBus } from './nats-bus.ts'
export type { ConnectionState, NatsBusOptions, NatsTls } from './options.ts'
