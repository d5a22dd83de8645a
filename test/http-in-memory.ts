import type { TestContext } from 'node:test'
import { openEmbeddedBus } from '../src/bus/drivers/embedded/index.ts'
import type { Bus } from '../src/bus/index.ts'
import { type Admission, openCommandSender } from '../src/channel/index.ts'
import { memoryDisk } from '../src/core/index.ts'
import { systemClock, systemRandom } from '../src/core/system/index.ts'
import { hostNodeServices } from '../src/fabric/index.ts'
import { httpGateway } from '../src/gateway/http/index.ts'

const clock = systemClock
const random = systemRandom
const passing = () => ({ ok: true, checks: { node: 'running' } })

/** The gateway over a real bus in memory, on a port that the system chose. */
export async function httpInMemory(
  t: TestContext,
  options: {
    readonly bodyBytesMax?: number
    readonly pendingBytesMax?: number
    readonly admission?: Admission
    /** The bus as the gateway sees it. */
    readonly wrap?: (bus: Bus) => Bus
  } = {},
) {
  const { wrap = (bus: Bus) => bus, ...given } = options
  const bus = await openEmbeddedBus({ disk: memoryDisk(), clock, random, directory: 'data' })
  const services = await hostNodeServices({ bus, clock, random, durability: 'none' })
  const { roster, nodeTime } = services
  const commands = await openCommandSender({ bus, clock, random, roster, nodeTime, sender: 'http', durability: 'none' })
  const probes = { live: passing, ready: passing, started: passing }
  const http = await httpGateway({
    ...{ bus: wrap(bus), clock, random, roster, commands, probes },
    version: '0.0.0',
    ...given,
  })
  const port = await http.listen({ host: '127.0.0.1', port: 0 })
  t.after(async () => {
    await http.close()
    await commands.close()
    await services.close()
    await bus.close()
  })
  const url = `http://127.0.0.1:${port}`
  const call = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const isText = typeof body === 'string'
    const response = await fetch(url + path, {
      method,
      ...(body !== undefined && { body: isText ? body : JSON.stringify(body) }),
      headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    })
    const text = await response.text()
    return {
      status: response.status,
      type: response.headers.get('content-type'),
      headers: response.headers,
      body: text === '' ? undefined : JSON.parse(text),
    }
  }
  return { bus, http, url, call, clock, random }
}
