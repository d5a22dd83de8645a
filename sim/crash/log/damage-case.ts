import { openLog } from '../../../src/log/index.ts'
import { SimulatedClock, SimulatedDisk } from '../../../testing/index.ts'
import { type BatchPlace, DIRECTORY, type VictimLog } from './damaged-log.ts'
import { judge } from './judge.ts'
import { LogLedger } from './log-ledger.ts'
import { readBack } from './read-back.ts'

/** What one damage did to a log. */
export interface DamageResult {
  /** Records wrong, or missing without an error. */
  readonly silent: number
  /** Synced bytes that recovery itself deleted, or undamaged records that it no longer gives. */
  readonly lostDurable: number
  readonly notes: readonly string[]
}

export interface DamageCase {
  readonly victim: VictimLog
  /** The victim's file as it is found. */
  readonly content: Uint8Array
  /** Batches that the damage touched: they alone may be missing, if an error says so. */
  readonly touched: (batch: BatchPlace) => boolean
  /** Batches that may be cut off as torn: no record says that they were synced. */
  readonly maybeTorn: (batch: BatchPlace) => boolean
  /** Opens it this often: the second time must find what the first one left. */
  readonly openings: number
}

/**
 * Opens the damaged log, reads it, appends to it, closes it, and does so again if asked to. Compares with what was
 * acknowledged, and the file with what it was.
 */
export async function runDamageCase(damage: DamageCase): Promise<DamageResult> {
  const image = new Map(damage.victim.image)
  image.set(damage.victim.file, damage.content)
  const disk = new SimulatedDisk({ image })
  const result = { silent: 0, lostDurable: 0, notes: [] as string[] }
  const ledger = copyLedger(damage)
  for (let opening = 0; opening < damage.openings; opening += 1) {
    const log = await openLog({ disk, clock: new SimulatedClock(), directory: DIRECTORY })
    const found = await readBack(log)
    const verdict = judge(ledger, found)
    result.silent += verdict.silent
    result.notes.push(...verdict.notes)
    const readable = new Set(found.records.map((record) => record.offset))
    for (const batch of damage.victim.batches) {
      if (damage.touched(batch) || damage.maybeTorn(batch)) continue
      for (let offset = batch.firstOffset; offset <= batch.lastOffset; offset += 1) {
        if (!readable.has(offset)) result.lostDurable += 1
      }
    }
    for (const attempt of ledger.attempts.slice(damage.victim.ledger.attempts.length)) {
      // Appended after the damage: nothing excuses its loss.
      if (!readable.has(attempt.baseOffset!)) result.lostDurable += 1
    }
    if (found.lost.length > 0 && log.status().quarantined.length === 0) {
      result.silent += 1
      result.notes.push('damage was met but the status does not say so')
    }
    if (opening > 0 && log.status().tornBytes > 0) {
      result.silent += 1
      result.notes.push('the log was closed and is torn all the same: something was left behind its end')
    }
    const appended = await ledger.append(log, 1, 'durable')
    if (appended.outcome !== 'acknowledged') result.notes.push('an append was refused')
    await log.close()
  }
  result.lostDurable += deletedBytes(damage, disk)
  return result
}

/** What must be there: all that was acknowledged, but for what the damage may have taken as torn. */
function copyLedger(damage: DamageCase): LogLedger {
  const ledger = new LogLedger()
  for (const attempt of damage.victim.ledger.attempts) {
    const batch = damage.victim.batches.find((place) => place.firstOffset === attempt.baseOffset)
    const isExcused = batch !== undefined && damage.maybeTorn(batch)
    ledger.resume({ ...attempt, outcome: isExcused ? 'unknown' : attempt.outcome })
  }
  return ledger
}

/** Bytes below the proven end that were in the file as it was found and are not in it any more. */
function deletedBytes(damage: DamageCase, disk: SimulatedDisk): number {
  const after = disk.image().get(damage.victim.file) ?? Buffer.alloc(0)
  const proven = Math.min(damage.victim.provenBytes, damage.content.byteLength)
  let changed = 0
  for (let at = 0; at < proven; at += 1) if (after[at] !== damage.content[at]) changed += 1
  return changed
}
