import { systemClock, systemRandom } from '../../../src/core/system/index.ts'
import { openBridge } from '../../../src/transfer/index.ts'
import { BRIDGE, type BridgeRunArguments, connectEnd, TOPIC } from './bridge-ends.ts'

/** A bridge until it is killed. Says `ready`, then how much it has moved so far. */
const told = JSON.parse(process.argv[2]!) as BridgeRunArguments
const TELL_EVERY_MS = 20

let isFinishing = false
const stop = new AbortController()
process.on('message', (word) => {
  if (word !== 'finish') return
  isFinishing = true
  stop.abort()
})
const [source, target] = await Promise.all([connectEnd(told.from, told.fromUrl), connectEnd(told.to, told.toUrl)])
const bridge = await openBridge({
  source: { bus: source, topic: TOPIC },
  target: { bus: target, topic: TOPIC },
  clock: systemClock,
  random: systemRandom,
  name: BRIDGE,
  durability: 'written',
  onProblem: ({ message }) => console.error(message),
})
const telling = setInterval(
  async () => process.send?.((await bridge.status()).moved > 0 ? 'moving' : 'waiting'),
  TELL_EVERY_MS,
)
process.send?.('ready')
await bridge.run({ signal: stop.signal })
clearInterval(telling)
await Promise.all([source.close(), target.close()])
process.exit(isFinishing ? 0 : 1)
