import type { TestContext } from 'node:test'
import { connectKafkaBus, type KafkaBus, type KafkaBusOptions } from '../../../src/bus/drivers/kafka/index.ts'
import type { Delivery, Reader } from '../../../src/bus/index.ts'
import { systemClock, systemRandom } from '../../../src/core/system/index.ts'
import { requireService } from '../../services/require-service.ts'
import type { Service } from '../../services/service.ts'
import { TcpProxy } from '../../services/tcp-proxy.ts'

export const kafka = await requireService('kafka')

export interface Broker {
  readonly service: Service
  readonly proxy: TcpProxy
  /** Past the proxy: for tools that are not ours. */
  readonly server: string
  connect(options?: Partial<KafkaBusOptions>): Promise<KafkaBus>
  stop(): Promise<void>
}

/** One real broker for the tests of a file, behind a proxy. */
export async function startBroker(settings: Readonly<Record<string, string>> = {}): Promise<Broker> {
  const proxy = await TcpProxy.listen()
  const advertised = { 'advertised.port': String(proxy.port) }
  const service = await kafka.start({ mortal: true, settings: { ...advertised, ...settings } })
  const { port } = new URL(service.url)
  proxy.pointTo({ host: '127.0.0.1', port: Number(port) })
  return {
    service,
    proxy,
    server: `127.0.0.1:${port}`,
    connect: (options) =>
      connectKafkaBus({
        url: `kafka://127.0.0.1:${proxy.port}`,
        clock: systemClock,
        random: systemRandom,
        ...options,
      }),
    stop: async () => {
      await service.stop()
      await proxy.close()
    },
  }
}

/** A bus of a test, closed with it. */
export async function busOf(t: TestContext, broker: Broker, options?: Partial<KafkaBusOptions>): Promise<KafkaBus> {
  const bus = await broker.connect(options)
  t.after(() => bus.close())
  return bus
}

export async function take(reader: Reader, count: number): Promise<Delivery[]> {
  const taken: Delivery[] = []
  while (taken.length < count) {
    const batch = await reader.read({ waitMs: 30_000 })
    if (batch === null) throw new Error(`only ${taken.length} of ${count} came`)
    taken.push(...batch.deliveries)
    await reader.acknowledge(batch.last, batch.generation)
  }
  return taken
}

export function texts(deliveries: readonly Delivery[]): string[] {
  return deliveries.map((delivery) => delivery.text())
}

/** Nothing more comes for a while. */
export async function isQuiet(reader: Reader): Promise<boolean> {
  return (await reader.read({ waitMs: 800 })) === null
}
