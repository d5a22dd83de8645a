export type { ConnectionLane, ConnectionStatus, RabbitmqBusOptions, TlsOptions } from './options.ts'
export type { RabbitmqBus } from './rabbitmq-bus.ts'
export { connectRabbitmqBus } from './rabbitmq-bus.ts'
export type { ServerFacts } from './server-facts.ts'
