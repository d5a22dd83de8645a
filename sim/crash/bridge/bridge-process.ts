import { systemClock, systemRandom } from '../../../src/core/system/index.ts'
import { openBridge } from '../../../src/transfer/index.ts'
import { BRIDGE, type BridgeRunArguments, connectEnd, TOPIC } from './bridge-ends.ts'
import { dyingAt, type Moment } from './weak-moments.ts'

/** A bridge until it dies. Says `ready`, then whether it has moved anything. */
const told = JSON.parse(process.argv[2]!) as BridgeRunArguments
const TELL_EVERY_MS = 20

let isFinishing = false
const stop = new AbortController()
process.on('message', (word) => {
  if (word !== 'finish') return
  isFinishing = true
  stop.abort()
})
const [from, to] = await Promise.all([connectEnd(told.from, told.fromUrl), connectEnd(told.to, told.toUrl)])
const { source, target } = dyingAt(told.moment as Moment, Number(told.nth), { source: from, target: to })
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
