import { connectRemoteBus } from '../../src/bus/drivers/remote/index.ts'
import { Channels, type PublishReceipt } from '../../src/channel/index.ts'
import { systemClock, systemRandom } from '../../src/core/system/index.ts'
import { position, positionsOf } from './position.ts'
import { wallMs } from './wall-clock.ts'
import { serveRequests } from './worker.ts'

export interface PublishRequest {
  readonly url: string
  readonly round: string
  readonly messages: number
}

export interface Published {
  readonly startedAtMs: number
  readonly acknowledged: number
  readonly durability: string
}

/** Values published and not acknowledged: well within what the channel lets wait. */
const IN_FLIGHT_MAX = 40_000

let channels: Promise<Channels> | undefined

async function connected(url: string): Promise<Channels> {
  const bus = await connectRemoteBus({ url, clock: systemClock, random: systemRandom, client: 'bench-publisher' })
  return new Channels({ bus, clock: systemClock, random: systemRandom, source: 'bench' })
}

serveRequests(async ({ url, round, messages }: PublishRequest): Promise<Published> => {
  channels ??= connected(url)
  const bound = await channels
  const positions = positionsOf(round)
  await bound.open([positions])
  const startedAtMs = wallMs()
  let acknowledged = 0
  const counted = new Set<PublishReceipt>()
  let last = ''
  let failure: unknown
  let progress = Promise.withResolvers<void>()
  let receipt: ReturnType<typeof bound.publish> | undefined
  for (let sequence = 0; sequence < messages; sequence += 1) {
    const given = bound.publish(positions, position(sequence))
    // All values of a batch share one promise and one receipt: each batch is counted once.
    if (given !== receipt) {
      receipt = given
      given.then(
        (stored) => {
          if (!counted.has(stored)) acknowledged += stored.accepted
          counted.add(stored)
          progress.resolve()
          progress = Promise.withResolvers()
          last = stored.durability
        },
        (error: unknown) => {
          failure = error
          progress.resolve()
        },
      )
    }
    if (sequence % 1_000 === 999) {
      await new Promise((resolve) => setImmediate(resolve))
      while (sequence - acknowledged > IN_FLIGHT_MAX && failure === undefined) await progress.promise
    }
  }
  while (acknowledged < messages && failure === undefined) await progress.promise
  if (failure !== undefined) throw failure
  return { startedAtMs, acknowledged, durability: last }
})
