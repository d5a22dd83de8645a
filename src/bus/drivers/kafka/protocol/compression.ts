import { promisify } from 'node:util'
import { gunzip, gzip, zstdCompress, zstdDecompress } from 'node:zlib'
import type { Compression } from '../../../index.ts'
import type { KafkaLibrary } from '../load-library.ts'
import { BATCH_HEAD_BYTES, type EncodedBatch } from './batch-encoder.ts'

/** Below this a trip to another thread costs more than the work. */
const OFF_LOOP_FROM_BYTES = 32 * 1024

const NUMBERS: Readonly<Record<Compression, number>> = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 }

type Transform = (bytes: Buffer) => Promise<Buffer>

/** The two that Node has off the event loop; the library's lz4 and snappy run on it. */
const COMPRESS: ReadonlyMap<number, Transform> = new Map([
  [NUMBERS.gzip, promisify(gzip) as Transform],
  [NUMBERS.zstd, promisify(zstdCompress) as Transform],
])
const DECOMPRESS: ReadonlyMap<number, Transform> = new Map([
  [NUMBERS.gzip, promisify(gunzip) as Transform],
  [NUMBERS.zstd, promisify(zstdDecompress) as Transform],
])

/** Compresses the records of batches, and back; large ones off the event loop where Node can. */
export class Compressor {
  readonly #kafka: KafkaLibrary

  constructor(kafka: KafkaLibrary) {
    this.#kafka = kafka
  }

  /** The batch with its records compressed, and the number of the codec. Synchronous where there is nothing to do. */
  compress(
    batch: EncodedBatch,
    compression: Compression,
  ):
    | { readonly batch: EncodedBatch; readonly number: number }
    | Promise<{ readonly batch: EncodedBatch; readonly number: number }> {
    const number = NUMBERS[compression]
    if (number === 0) return { batch, number }
    const records = batch.bytes.subarray(BATCH_HEAD_BYTES)
    const offLoop = COMPRESS.get(number)
    if (offLoop !== undefined && records.length >= OFF_LOOP_FROM_BYTES) {
      return offLoop(records).then((compressed) => ({ batch: withRecords(batch, compressed), number }))
    }
    return { batch: withRecords(batch, this.#codec(number).compressSync(records)), number }
  }

  #codec(number: number): KafkaLibrary['compressionsAlgorithms']['gzip'] {
    const codec = this.#kafka.compressionsAlgorithmsByBitmask[String(number)]
    if (codec === undefined) throw new Error(`compression ${number} is unknown`)
    return codec as KafkaLibrary['compressionsAlgorithms']['gzip']
  }

  decompress(records: Buffer, number: number): Buffer | Promise<Buffer> {
    if (number === 0) return records
    const offLoop = DECOMPRESS.get(number)
    if (offLoop !== undefined && records.length >= OFF_LOOP_FROM_BYTES) return offLoop(records)
    return this.#codec(number).decompressSync(records)
  }
}

function withRecords(batch: EncodedBatch, records: Buffer): EncodedBatch {
  const bytes = Buffer.allocUnsafeSlow(BATCH_HEAD_BYTES + records.length)
  records.copy(bytes, BATCH_HEAD_BYTES)
  return { ...batch, bytes }
}
