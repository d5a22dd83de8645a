import { connectRemoteBus } from '../../src/bus/drivers/remote/index.ts'
import { Channels } from '../../src/channel/index.ts'
import { systemClock, systemRandom } from '../../src/core/system/index.ts'
import { positionsOf } from './position.ts'
import { Tally } from './tally.ts'
import { wallMs } from './wall-clock.ts'
import { serveRequests } from './worker.ts'

export interface ConsumeRequest {
  readonly url: string
  readonly round: string
  readonly messages: number
}

export interface Consumed {
  readonly endedAtMs: number
  readonly consumed: number
  readonly repeated: number
  readonly reordered: number
}

let channels: Promise<Channels> | undefined

async function connected(url: string): Promise<Channels> {
  const bus = await connectRemoteBus({ url, clock: systemClock, random: systemRandom, client: 'bench-consumer' })
  return new Channels({ bus, clock: systemClock, random: systemRandom, source: 'bench' })
}

serveRequests(async ({ url, round, messages }: ConsumeRequest): Promise<Consumed> => {
  channels ??= connected(url)
  const bound = await channels
  const positions = positionsOf(round)
  await bound.open([positions])
  const tally = new Tally(messages)
  const whole = Promise.withResolvers<number>()
  const processing = await bound.process(positions, { group: 'bench' }, ({ value }) => {
    tally.add(value.sequence, value.agentId)
    if (tally.isWhole) whole.resolve(wallMs())
  })
  processing.done.catch((error: unknown) => whole.reject(error))
  const endedAtMs = await whole.promise
  await processing.stop()
  return { endedAtMs, consumed: tally.count, repeated: tally.repeated, reordered: tally.reordered }
})
