export type { EmbeddedBus } from './embedded-bus.ts'
export { openEmbeddedBus } from './embedded-bus.ts'
export type { EmbeddedBusOptions } from './options.ts'
