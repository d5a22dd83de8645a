import { connectNatsBus, type NatsBus } from '../../src/bus/drivers/nats/index.ts'
import { Channels } from '../../src/channel/index.ts'
import { SkeinError } from '../../src/core/index.ts'
import { systemClock, systemRandom } from '../../src/core/system/index.ts'

/** Our channels on a server. */
export async function natsChannels(url: string): Promise<{ readonly bus: NatsBus; readonly channels: Channels }> {
  const bus = await connectNatsBus({ url, clock: systemClock, random: systemRandom })
  const fail = (error: unknown) => {
    // A reader that ends with its bus says so.
    if (!(error instanceof SkeinError) || error.code !== 'closed') throw error
  }
  const channels = new Channels({ bus, clock: systemClock, random: systemRandom, source: 'bench', onError: fail })
  return { bus, channels }
}
