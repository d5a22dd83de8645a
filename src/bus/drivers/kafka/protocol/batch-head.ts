import { BATCH_HEAD_BYTES, type EncodedBatch } from './batch-encoder.ts'

const MAGIC = 2
const TIMESTAMP_TYPE = 0b1000
const TRANSACTIONAL = 0b1_0000
const CONTROL = 0b10_0000
/** Before the length field counts: base offset and the length itself. */
const UNCOUNTED_BYTES = 12
const CRC_FROM = 21

/** Who writes a batch, so that the broker stores it once. */
export interface ProducerStamp {
  readonly producerId: bigint
  readonly epoch: number
  readonly sequence: number
  readonly isTransactional: boolean
}

export type Crc32c = (bytes: Buffer) => number

/** Writes the head in front of the records of `batch`; `compression` is the number of Kafka's codec that they have now. */
export function putBatchHead(
  batch: EncodedBatch,
  options: { readonly stamp: ProducerStamp; readonly compression: number; readonly crc32c: Crc32c },
): void {
  const { bytes } = batch
  const { stamp } = options
  bytes.writeBigInt64BE(0n, 0)
  bytes.writeInt32BE(bytes.length - UNCOUNTED_BYTES, 8)
  bytes.writeInt32BE(-1, 12)
  bytes.writeInt8(MAGIC, 16)
  bytes.writeInt16BE(options.compression | (stamp.isTransactional ? TRANSACTIONAL : 0), 21)
  bytes.writeInt32BE(batch.count - 1, 23)
  bytes.writeBigInt64BE(BigInt(batch.firstTimestampMs), 27)
  bytes.writeBigInt64BE(BigInt(batch.maxTimestampMs), 35)
  bytes.writeBigInt64BE(stamp.producerId, 43)
  bytes.writeInt16BE(stamp.epoch, 51)
  bytes.writeInt32BE(stamp.sequence, 53)
  bytes.writeInt32BE(batch.count, 57)
  bytes.writeUInt32BE(options.crc32c(bytes.subarray(CRC_FROM)), 17)
}

/** The head of a stored batch. */
export interface BatchHead {
  readonly baseOffset: number
  readonly lastOffset: number
  /** Of the whole batch, its head included. */
  readonly byteLength: number
  readonly compression: number
  readonly isControl: boolean
  readonly isTransactional: boolean
  readonly firstTimestampMs: number
  readonly maxTimestampMs: number
  /** `maxTimestampMs` is the broker's time of the append. */
  readonly hasAppendTime: boolean
  readonly producerId: bigint
  readonly count: number
}

/** Undefined when the batch is not whole: a fetch may end in the middle of one. */
export function readBatchHead(bytes: Buffer, at: number): BatchHead | undefined {
  if (bytes.length - at < BATCH_HEAD_BYTES) return undefined
  const byteLength = bytes.readInt32BE(at + 8) + UNCOUNTED_BYTES
  if (bytes.length - at < byteLength) return undefined
  const attributes = bytes.readInt16BE(at + 21)
  const baseOffset = Number(bytes.readBigInt64BE(at))
  return {
    baseOffset,
    lastOffset: baseOffset + bytes.readInt32BE(at + 23),
    byteLength,
    compression: attributes & 0b111,
    isControl: (attributes & CONTROL) !== 0,
    isTransactional: (attributes & TRANSACTIONAL) !== 0,
    firstTimestampMs: Number(bytes.readBigInt64BE(at + 27)),
    maxTimestampMs: Number(bytes.readBigInt64BE(at + 35)),
    hasAppendTime: (attributes & TIMESTAMP_TYPE) !== 0,
    producerId: bytes.readBigInt64BE(at + 43),
    count: bytes.readInt32BE(at + 57),
  }
}

/** Whether the batch is as it was written. */
export function isIntact(bytes: Buffer, at: number, head: BatchHead, crc32c: Crc32c): boolean {
  return crc32c(bytes.subarray(at + CRC_FROM, at + head.byteLength)) === bytes.readUInt32BE(at + 17)
}
