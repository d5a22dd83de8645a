export type { BrokerLog } from './broker-log.ts'
export type { BrokerLogOptions } from './open-broker-log.ts'
export { openBrokerLog } from './open-broker-log.ts'
