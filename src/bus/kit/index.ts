export { assignPartitions } from './assign-partitions.ts'
export type { DeadLetterOrigin, HeaderBounds } from './dead-letter.ts'
export {
  deadLetterHeaders,
  deadLetterOrigin,
  deadLetterTopic,
  REPLAY_HEADER,
  relocatedLetter,
  replayedHeaders,
  topicOfDeadLetters,
} from './dead-letter.ts'
export { GroupGate } from './group-gate.ts'
export type { HeldMessage } from './held-messages.ts'
export { IdMemory } from './id-memory.ts'
export { IdWindow } from './id-window.ts'
export { LateReader } from './late-reader.ts'
export { LateWriter } from './late-writer.ts'
export { MessageChecker } from './message-checker.ts'
export type { StoredProgress } from './partition-progress.ts'
export { PartitionProgress } from './partition-progress.ts'
export type { ProducedBatch } from './producer-window.ts'
export { ProducerWindow } from './producer-window.ts'
export type { ResolvedRetryPolicy } from './retry-policy.ts'
export { resolveRetryPolicy, retryDelayMs } from './retry-policy.ts'
export type { DeliverySource } from './stored-delivery.ts'
export { StoredDelivery } from './stored-delivery.ts'
export { ID_HEADER, storedHeaders, TTL_HEADER } from './stored-headers.ts'
export { SubjectFilter } from './subject-filter.ts'
export { SubjectIndex } from './subject-index.ts'
export type { TopicSettings } from './topic-settings.ts'
export { checkOneMachine, checkSameTopic, resolveTopic } from './topic-settings.ts'
export type { Unburied } from './unburied.ts'
export { buryAll, keepUnburied } from './unburied.ts'
export { WaitPoint } from './wait-point.ts'
export { WriteGate } from './write-gate.ts'
