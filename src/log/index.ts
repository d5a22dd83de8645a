export type { AppendDurability, Appended, BatchStamp, Log, LogBatch, LogStatus, Retention, SyncPolicy } from './log.ts'
export type { EncodedRecords, RecordCursor, RecordInput } from './record.ts'
