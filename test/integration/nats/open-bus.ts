import type { TestContext } from 'node:test'
import { connectNatsBus, type NatsBus, type NatsBusOptions } from '../../../src/bus/drivers/nats/index.ts'
import { systemClock, systemRandom } from '../../../src/core/system/index.ts'

/** A bus that ends with the test. */
export async function openBus(
  t: TestContext,
  options: Partial<NatsBusOptions> & { readonly url: string | readonly string[] },
): Promise<NatsBus> {
  const bus = await connectNatsBus({ clock: systemClock, random: systemRandom, reconnectDelayMsMax: 200, ...options })
  t.after(() => bus.close())
  return bus
}
