import { SkeinError } from '../../../core/index.ts'
import { checkRecords, encodedRecords, recordCursor } from '../../../log/index.ts'
import { type EncodedReceipt, type EncodedWrite, WriteError } from '../../index.ts'
import { ID_HEADER, MessageChecker, type ProducedBatch, TTL_HEADER } from '../../kit/index.ts'
import { MARK_ID, MARK_TTL, type Partition } from './partition.ts'
import { type GrantedDurability, grantDurability, type LogTopic } from './topic.ts'
import { type PartlyAppended, WriteDraft } from './write-draft.ts'

const NOTHING: readonly never[] = Object.freeze([])

interface Waiting {
  readonly producerId: number
  readonly sequence: number
  readonly result: Promise<ProducedBatch>
}

interface Asked {
  readonly partition: Partition
  readonly write: EncodedWrite
  readonly granted: GrantedDurability
}

/** Appends batches that a client encoded: checked, deduplicated, and otherwise as they came. */
export class EncodedWrites {
  readonly #checkers = new WeakMap<LogTopic, MessageChecker>()
  /** Appends in flight: a batch resent meanwhile gets the same result. */
  readonly #inFlight = new WeakMap<Partition, Map<string, Waiting>>()

  async write(topic: LogTopic, write: EncodedWrite): Promise<EncodedReceipt> {
    const partition = topic.partitions[write.partition]
    if (partition === undefined) throw noPartition(topic, write.partition)
    const { durability } = topic.settings
    const granted = grantDurability(
      write.durability ?? durability,
      topic.capabilities.durability,
      `topic "${topic.settings.name}"`,
    )
    const what = { partition, write, granted }
    const before = this.#find(partition, write)
    if (typeof before === 'object') return this.#repeat(what, await before)
    const stored = before === undefined ? this.#append(topic, what) : this.#judgeAgain(what, before)
    this.#remember(partition, write, stored)
    return receiptOf(partition, await stored, { granted, repeated: false })
  }

  #find(partition: Partition, write: EncodedWrite) {
    const waiting = this.#inFlight.get(partition)?.get(flightKey(write))
    return waiting?.result ?? partition.producers.find(write.producerId, write.sequence)
  }

  async #repeat({ partition, write, granted }: Asked, batch: ProducedBatch): Promise<EncodedReceipt> {
    if (granted.receipt === 'durable') await partition.visible(batch.lastOffset)
    const duplicates = batch.duplicates ?? (await duplicatesOf(partition, { batch, body: write.body }))
    return receiptOf(partition, { ...batch, duplicates }, { granted, repeated: true })
  }

  /**
   * An old batch that is not remembered may have been answered as all repeats, which leaves nothing in the log. Where its
   * ids are all known it stores nothing now either, whatever became of it, and is answered like a new one.
   */
  #judgeAgain(what: Asked, found: 'refused' | 'forgotten'): Promise<ProducedBatch> {
    const { partition, write } = what
    checkRecords(write.body, { header: TTL_HEADER })
    partition.expireIds()
    const ids = idsOf(write.body)
    const isKnown = ids?.every((id) => id !== undefined && partition.findId(id) !== undefined)
    if (isKnown === true) return this.#appendFresh(what)
    throw notJudged(write, found)
  }

  #remember(partition: Partition, write: EncodedWrite, result: Promise<ProducedBatch>): void {
    const { producerId, sequence } = write
    let flights = this.#inFlight.get(partition)
    if (flights === undefined) {
      flights = new Map()
      this.#inFlight.set(partition, flights)
    }
    const key = flightKey(write)
    flights.set(key, { producerId, sequence, result })
    const forget = () => flights.delete(key)
    result.then(forget, forget)
  }

  #append(topic: LogTopic, what: Asked): Promise<ProducedBatch> {
    const { partition, write, granted } = what
    const { body, firstTimestampMs, producerId, sequence } = write
    const summary = checkRecords(body, { header: TTL_HEADER })
    const checker = this.#checkerOf(topic)
    for (const subject of summary.subjects) checker.checkSubject(subject)
    checker.checkSize(summary.valueBytesMax, 0)
    const ids = partition.ids === undefined ? undefined : idsOf(body)
    const marks = (summary.hasHeader ? MARK_TTL : 0) | (ids === undefined ? 0 : MARK_ID)
    if (ids !== undefined && this.#hasRepeats(partition, ids)) return this.#appendFresh(what)
    const stamp = { producerId, sequence, epoch: 0, marks }
    const records = encodedRecords(body, firstTimestampMs, summary)
    return partition.append(records, { stamp, durability: granted.append, ids }).then(({ lastOffset }) => {
      const batch = { sequence, lastOffset, accepted: records.count, duplicates: NOTHING }
      partition.producers.add(producerId, batch)
      return batch
    })
  }

  #checkerOf(topic: LogTopic): MessageChecker {
    let checker = this.#checkers.get(topic)
    if (checker === undefined) {
      checker = new MessageChecker(topic.settings)
      this.#checkers.set(topic, checker)
    }
    return checker
  }

  #hasRepeats(partition: Partition, ids: ReadonlyArray<string | undefined>): boolean {
    partition.makeRoomForIds()
    const seen = new Set<string>()
    for (const id of ids) {
      if (id === undefined) continue
      if (seen.has(id) || partition.findId(id) !== undefined) return true
      seen.add(id)
    }
    return false
  }

  /** Some records were there already: the others are encoded anew. */
  async #appendFresh(what: Asked): Promise<ProducedBatch> {
    const { partition, write, granted } = what
    const { producerId, sequence } = write
    const draft = new WriteDraft(partition, { producerId, sequence, epoch: 0 })
    const cursor = recordCursor(write.body, 0, write.firstTimestampMs)
    const duplicates: number[] = []
    let accepted = 0
    while (cursor.next()) {
      const headers = cursor.headers()
      const ttl = headers[TTL_HEADER]
      const message = {
        subject: cursor.subject,
        key: cursor.key,
        value: cursor.isTombstone ? null : cursor.valueBytes(),
        headers,
        id: headers[ID_HEADER],
        ttlMs: ttl === undefined ? undefined : Number(ttl),
        timestampMs: cursor.timestampMs,
      }
      if (draft.add(message, cursor.timestampMs)) accepted += 1
      else duplicates.push(cursor.offset)
    }
    const lastOffset = await draft.append(granted).catch((error: PartlyAppended) => throwPartly(error, accepted))
    const batch = { sequence, lastOffset, accepted, duplicates }
    partition.producers.add(producerId, batch)
    return batch
  }
}

/** A client is told of a batch as a whole: where a part of it is stored and another is not, the batch is in doubt. */
function throwPartly(error: PartlyAppended, fresh: number): never {
  const isPartly = (fresh > 0 && error.own === 'stored') || error.repeats.includes('stored')
  if (!isPartly) throw error.cause
  throw new WriteError(`Cannot store all of a batch, some of which is stored: ${error.message}`, {
    accepted: NOTHING,
    unknown: [0],
    cause: error.cause,
  })
}

function flightKey(write: EncodedWrite): string {
  return `${write.producerId}/${write.sequence}`
}

function notJudged({ sequence, producerId }: EncodedWrite, found: 'refused' | 'forgotten'): WriteError {
  const isUnknown = found === 'forgotten'
  return new WriteError(
    isUnknown
      ? `Cannot say whether batch ${sequence} of producer ${producerId} was stored: nothing is remembered of it`
      : `Cannot store batch ${sequence} of producer ${producerId}: it was refused before, and later ones were stored`,
    { accepted: NOTHING, unknown: isUnknown ? [0] : NOTHING },
  )
}

/** Of a batch recalled after a restart: what was sent with an id and does not lie in the log with it. */
async function duplicatesOf(
  partition: Partition,
  sent: { readonly batch: ProducedBatch; readonly body: Uint8Array },
): Promise<readonly number[]> {
  const { batch, body } = sent
  const { count } = checkRecords(body, { header: TTL_HEADER })
  const ids = idsOf(body)
  if (ids === undefined || count === batch.accepted) return NOTHING
  const kept = await keptIds(partition, batch.lastOffset)
  if (kept === undefined) return NOTHING
  return [...ids.entries()].flatMap(([index, id]) => (id === undefined || kept.delete(id) ? [] : [index]))
}

/** Undefined when the batch has been taken by retention or is quarantined: that it was stored is known all the same. */
async function keptIds({ log }: Partition, offset: number): Promise<Set<string | undefined> | undefined> {
  try {
    const [stored] = await log.read(offset, 1)
    return stored && new Set(idsOf(stored.body))
  } catch (error) {
    if (error instanceof SkeinError && (error.code === 'position-gone' || error.code === 'corrupt')) return undefined
    throw error
  }
}

/** Undefined when no record has an id. */
function idsOf(body: Uint8Array): Array<string | undefined> | undefined {
  const cursor = recordCursor(body, 0, 0)
  const ids: Array<string | undefined> = []
  let hasSome = false
  while (cursor.next()) {
    const id = cursor.header(ID_HEADER)
    hasSome ||= id !== undefined
    ids.push(id)
  }
  return hasSome ? ids : undefined
}

function receiptOf(
  partition: Partition,
  batch: ProducedBatch,
  how: { readonly granted: GrantedDurability; readonly repeated: boolean },
): EncodedReceipt {
  return {
    last: { partition: partition.index, sequence: batch.lastOffset },
    accepted: batch.accepted,
    duplicates: batch.duplicates ?? NOTHING,
    durability: how.granted.receipt,
    repeated: how.repeated,
  }
}

function noPartition(topic: LogTopic, partition: number): SkeinError {
  const { name, partitions } = topic.settings
  return new SkeinError('bad-argument', `Cannot write to partition ${partition} of "${name}": it has ${partitions}`, {
    details: { topic: name, partition, partitions },
  })
}
