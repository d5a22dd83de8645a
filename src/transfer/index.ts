export { Bridge } from './bridge/bridge.ts'
export type { BridgeEnd, BridgeOptions, BridgeStatus } from './bridge/bridge-options.ts'
export { openBridge } from './bridge/open-bridge.ts'
export { readToEnd } from './read-to-end.ts'
