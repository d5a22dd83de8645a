import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Message, WriteError, type Writer } from '../../../src/bus/index.ts'
import { LineFile, readLines } from './line-file.ts'
import { ACKED_FILE, KEYS, type ProcessArguments } from './load.ts'
import { crashWorld } from './worlds.ts'

/**
 * Writes numbered messages of every key, several batches under way at once, and notes what was acknowledged. After a failed
 * write it waits for all that is under way and goes on, key by key, behind the last acknowledged message: the same after its
 * own death. What is sent again has the same id.
 */
const BATCH = 100
const BATCHES_UNDER_WAY = 4
const FILLER = 'x'.repeat(200)

const told = JSON.parse(process.argv[2]!) as ProcessArguments
const world = await crashWorld(told.driver)
const ledger = join(told.folder, ACKED_FILE)
let isFinishing = false
process.on('message', (word) => {
  if (word === 'finish') isFinishing = true
})

/** By key: everything below is acknowledged. */
const acked = new Map<string, number>(KEYS.map((key) => [key, 0]))
for (const line of readLines(ledger)) {
  const [key, sequence] = line.split(' ') as [string, string]
  acked.set(key, Math.max(acked.get(key)!, Number(sequence) + 1))
}

const file = new LineFile(ledger)
const bus = await world.connect(told.urls.split(','))
await bus.open(JSON.parse(told.topic))
const writer = bus.writer(JSON.parse(told.topic).name)
process.send?.('ready')
while (!isFinishing) {
  await writeUntilFailure(writer)
  await delay(20)
}
await writer.close()
await bus.close()
process.exit(0)

interface Sent {
  readonly key: string
  readonly sequence: number
}

async function writeUntilFailure(to: Writer): Promise<void> {
  const next = new Map(acked)
  const underWay = new Set<Promise<void>>()
  let hasFailed = false
  let turn = 0
  while (!isFinishing && !hasFailed) {
    const batch = Array.from({ length: BATCH }, (): Sent => {
      const key = KEYS[turn++ % KEYS.length]!
      const sequence = next.get(key)!
      next.set(key, sequence + 1)
      return { key, sequence }
    })
    const writing = write(to, batch).then((isWhole) => {
      if (!isWhole) hasFailed = true
      underWay.delete(writing)
    })
    underWay.add(writing)
    if (underWay.size >= BATCHES_UNDER_WAY) await Promise.race(underWay)
  }
  await Promise.all(underWay)
}

/** Notes what was stored; false when something was not, or may not have been. */
async function write(to: Writer, batch: readonly Sent[]): Promise<boolean> {
  try {
    await to.write(batch.map(messageOf))
    note(batch)
    return true
  } catch (error) {
    if (error instanceof WriteError) note(error.accepted.map((index) => batch[index]!))
    return false
  }
}

function messageOf({ key, sequence }: Sent): Message {
  const topic = JSON.parse(told.topic).name as string
  return { subject: `${topic}.${key}`, key, value: `${key} ${sequence} ${FILLER}`, id: `${key}-${sequence}` }
}

function note(stored: readonly Sent[]): void {
  file.append(stored.map(({ key, sequence }) => `${key} ${sequence}`))
  for (const { key, sequence } of stored) {
    if (acked.get(key) === sequence) acked.set(key, sequence + 1)
  }
}
