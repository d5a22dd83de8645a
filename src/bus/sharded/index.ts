export type { Growth, GrowthStep } from './grow-topic.ts'
export type { NextGeneration } from './growth-record.ts'
export type { GrowingBus, ShardedBusOptions } from './sharded-bus.ts'
export { shardedBus } from './sharded-bus.ts'
