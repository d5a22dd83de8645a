import { seededRandom } from '../../testing/index.ts'
import { type DamageResult, runDamageCase } from './log/damage-case.ts'
import { makeVictim, type VictimLog } from './log/damaged-log.ts'
import { add, type DamageReport, damageShortfalls } from './truncate.ts'
import type { CrashOptions } from './variant.ts'

const SEGMENT_BYTES = 16 * 1024
const BITS = 8
const CASES_MIN = SEGMENT_BYTES * BITS

/**
 * Every bit of a segment of 16 KiB flipped, one at a time, in a log that was closed; then one bit of every byte in one
 * that was killed and in one whose segment has neighbours; then every bit of the file that records the synced end.
 */
export async function run(options: CrashOptions): Promise<DamageReport> {
  const report = { cases: 0, silent: 0, lostDurable: 0, notes: [] as string[] }
  const random = seededRandom(options.seed)
  const thinning = Math.max(1, Math.ceil(CASES_MIN / (options.rounds ?? CASES_MIN)))
  const shape = { fileBytes: SEGMENT_BYTES, batchRecords: 5 }
  const closed = await makeVictim({ ...shape, ending: 'closed', neighbours: false })
  const killed = await makeVictim({ ...shape, ending: 'none', neighbours: false })
  const middle = await makeVictim({ ...shape, ending: 'closed', neighbours: true })
  const size = (victim: VictimLog) => victim.image.get(victim.file)!.byteLength
  const flip = async (victim: VictimLog, bit: number) => {
    add(report, await flipped(victim, bit), `bit ${bit}`)
    if (report.cases % 1_000 === 0) options.progress(`flip ${report.cases}`)
  }
  for (let bit = 0; bit < size(closed) * BITS; bit += thinning) await flip(closed, bit)
  for (const victim of [killed, middle]) {
    for (let at = 0; at < size(victim); at += thinning)
      await flip(victim, at * BITS + Math.floor(random.float() * BITS))
  }
  const beside = [...closed.image.keys()].filter((path) => path !== closed.file)
  for (const file of beside) {
    await flipBeside(closed, { file, thinning }, (result, bit) => add(report, result, `${file} bit ${bit}`))
  }
  return report
}

export function shortfalls(report: DamageReport, options: CrashOptions): string[] {
  return damageShortfalls(report, options.rounds ?? CASES_MIN)
}

function withBit(content: Uint8Array, bit: number): Uint8Array {
  const changed = Uint8Array.from(content)
  changed[bit >> 3] = changed[bit >> 3]! ^ (1 << (bit & 7))
  return changed
}

async function flipped(victim: VictimLog, bit: number): Promise<DamageResult> {
  const at = bit >> 3
  const last = victim.batches.at(-1)!
  return runDamageCase({
    victim,
    content: withBit(victim.image.get(victim.file)!, bit),
    touched: (batch) => at >= batch.start && at < batch.end,
    // The last batch of a log that was killed: no later one says that it was synced.
    maybeTorn: (batch) => batch === last && at >= batch.start && victim.provenBytes < batch.end,
    openings: bit % BITS === at % BITS ? 2 : 1,
  })
}

/** Flips every bit of a file that is no segment, where it is not empty: nothing may be lost by that. */
async function flipBeside(
  victim: VictimLog,
  { file, thinning }: { readonly file: string; readonly thinning: number },
  take: (result: DamageResult, bit: number) => void,
): Promise<void> {
  const content = victim.image.get(file)!
  for (let bit = 0; bit < content.byteLength * BITS; bit += thinning) {
    if (content[bit >> 3] === 0 && (bit & 63) !== 0) continue
    const image = new Map(victim.image).set(file, withBit(content, bit))
    const unharmed = victim.image.get(victim.file)!
    const result = await runDamageCase({
      victim: { ...victim, image },
      content: unharmed,
      touched: () => false,
      maybeTorn: () => false,
      openings: 2,
    })
    take(result, bit)
  }
}
