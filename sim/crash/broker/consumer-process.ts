import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Batch } from '../../../src/bus/index.ts'
import { SkeinError } from '../../../src/core/index.ts'
import { LineFile, readLines } from './line-file.ts'
import { EFFECTS_FILE, GROUP, type ProcessArguments, REPEATS_FILE } from './load.ts'
import { crashWorld } from './worlds.ts'

/**
 * Takes messages as a member of a group. An effect is a line in a file; which messages have had theirs is read from the
 * same file, so that effect and memory are one act, and a repeat after any death is recognised.
 */
const told = JSON.parse(process.argv[2]!) as ProcessArguments
const world = await crashWorld(told.driver)
let isFinishing = false
process.on('message', (word) => {
  if (word === 'finish') isFinishing = true
})

const seen = new Set(readLines(join(told.folder, EFFECTS_FILE)))
const effects = new LineFile(join(told.folder, EFFECTS_FILE))
const repeats = new LineFile(join(told.folder, REPEATS_FILE))
const bus = await world.connect(told.urls.split(','))
await bus.open(JSON.parse(told.topic))
// A message is never given up: nothing may be missing because its reader was killed too often.
const retry = { attemptsMax: 1_000_000 }
const reader = bus.reader(JSON.parse(told.topic).name, { mode: 'group', group: GROUP, retry })
process.send?.('ready')
while (!isFinishing) {
  const batch = await reader.read({ waitMs: 200 }).catch(passing)
  if (batch === null) continue
  take(batch)
  await reader.acknowledge(batch.last, batch.generation).catch(passing)
}
await reader.close()
await bus.close()
process.exit(0)

function take(batch: Batch): void {
  const fresh: string[] = []
  const known: string[] = []
  for (const delivery of batch.deliveries) {
    const line = delivery.text().split(' ', 2).join(' ')
    if (seen.has(line)) known.push(line)
    else {
      seen.add(line)
      fresh.push(line)
    }
  }
  effects.append(fresh)
  repeats.append(known)
}

/** A broker that died, or a partition that went to another: what was not acknowledged comes again. */
async function passing(error: unknown): Promise<null> {
  if (!(error instanceof SkeinError) || error.code === 'closed') throw error
  await delay(50)
  return null
}
