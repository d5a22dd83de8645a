import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { WriteError } from '../../../src/bus/index.ts'
import { LineFile } from '../broker/line-file.ts'
import { ACKED_FILE, KEYS } from '../broker/load.ts'
import { type BridgeRunArguments, connectEnd, TOPIC } from './bridge-ends.ts'

/**
 * Writes numbered messages of every key to the source and notes what was acknowledged. Messages have no ids: what the bridge
 * moves twice is not forgiven by anybody. After a failed write a key goes on with numbers of its own, so that nothing is
 * written twice by this process either.
 */
const BATCH = 50
const PAUSE_MS = 5
const FILLER = 'x'.repeat(100)

const told = JSON.parse(process.argv[2]!) as BridgeRunArguments
let isFinishing = false
process.on('message', (word) => {
  if (word === 'finish') isFinishing = true
})
const file = new LineFile(join(told.folder, ACKED_FILE))
const bus = await connectEnd(told.from, told.fromUrl)
await bus.admin.describeTopic(TOPIC)
const writer = bus.writer(TOPIC)
process.send?.('ready')
for (let number = 0; !isFinishing; ) {
  const sent = Array.from({ length: BATCH }, () => {
    const key = KEYS[number % KEYS.length]!
    return `${key} ${number++}`
  })
  const batch = sent.map((line) => {
    const key = line.split(' ', 1)[0]!
    return { subject: `${TOPIC}.${key}`, key, value: `${line} ${FILLER}`, headers: { about: line } }
  })
  try {
    await writer.write(batch)
    file.append(sent)
  } catch (error) {
    if (!(error instanceof WriteError)) throw error
    file.append(error.accepted.map((index) => sent[index]!))
    await delay(100)
  }
  await delay(PAUSE_MS)
}
await writer.close()
await bus.close()
process.exit(0)
