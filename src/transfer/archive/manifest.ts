import { SkeinError } from '../../core/index.ts'
import type { ObjectStore } from '../../objects/index.ts'
import { type ArchiveRecord, damaged, decodeRecord, encodeRecord, type KeptRecord } from './archive-record.ts'

const NUMBER_DIGITS = 12

export function recordName(number: number): string {
  return `manifest/${String(number).padStart(NUMBER_DIGITS, '0')}.json`
}

/**
 * The records of an archive, numbered without a hole and never changed. Each is created where there is none, so that of two
 * writers one gets a number and the other knows; and the newest is found by asking for numbers, never by a listing.
 */
export class Manifest {
  readonly #store: ObjectStore

  constructor(store: ObjectStore) {
    this.#store = store
  }

  /** Undefined where there is no archive yet. Rejects with `corrupt`, `future-version`, and as the store does. */
  async newest(): Promise<KeptRecord | undefined> {
    const number = await this.#newestNumber()
    return number === 0 ? undefined : this.read(number)
  }

  /** 0 where there is none. */
  async #newestNumber(): Promise<number> {
    let [there, missing] = [0, 1]
    while (await this.#has(missing)) [there, missing] = [missing, missing * 2]
    while (missing - there > 1) {
      const middle = Math.floor((there + missing) / 2)
      if (await this.#has(middle)) there = middle
      else missing = middle
    }
    return there
  }

  async #has(number: number): Promise<boolean> {
    return (await this.#store.stat(recordName(number))) !== undefined
  }

  async read(number: number): Promise<KeptRecord> {
    const name = recordName(number)
    const kept = decodeRecord(name, await this.#get(name))
    if (kept.record.number === number) return kept
    throw damaged(name, `it is the record ${kept.record.number}`)
  }

  async #get(name: string): Promise<Uint8Array> {
    try {
      return await this.#store.get(name)
    } catch (error) {
      if (error instanceof SkeinError && error.code === 'not-found') throw damaged(name, 'it is missing', error)
      throw error
    }
  }

  /** Every record up to the newest as it is now, in order. Rejects with `corrupt` naming the one that is missing or damaged. */
  async *records(): AsyncGenerator<ArchiveRecord> {
    const newest = await this.#newestNumber()
    let previous = ''
    for (let number = 1; number <= newest; number += 1) {
      const { record, sha256 } = await this.read(number)
      if (record.previous !== previous) throw damaged(recordName(number), 'it does not follow the record before it')
      previous = sha256
      yield record
    }
  }

  /** Rejects with `fenced` where another writer has put a record of this number. */
  async append(record: ArchiveRecord): Promise<KeptRecord> {
    const { bytes, sha256 } = encodeRecord(record)
    if (await this.#store.create(recordName(record.number), bytes)) return { record, sha256 }
    throw new SkeinError(
      'fenced',
      `Cannot write record ${record.number} of the archive: another archiver has taken it over; run only one`,
      { details: { number: record.number, writer: record.writer } },
    )
  }
}
