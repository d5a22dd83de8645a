import { type BridgeRunArguments, connectEnd } from '../bridge/bridge-ends.ts'
import { crashedArchive } from './crashed-archive.ts'

/** An archiver until it is killed. Says `ready`, then that it has archived something. */
const TELL_EVERY_MS = 20

const told = JSON.parse(process.argv[2]!) as BridgeRunArguments
const archive = await crashedArchive(await connectEnd(told.from, told.fromUrl), told.folder)
setInterval(async () => {
  if ((await archive.status()).archived > 0) process.send?.('archiving')
}, TELL_EVERY_MS)
process.send?.('ready')
await archive.run()
