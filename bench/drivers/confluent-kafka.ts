import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cacheDirectory } from '../../test/services/cache-directory.ts'
import { fetchOnce } from '../../test/services/fetch-once.ts'
import { runTool } from '../../test/services/run-tool.ts'
import { ServiceUnavailable } from '../../test/services/service.ts'
import type { DriverBench } from './driver-bench.ts'
import { checkStored, onKafka, publishOnKafka } from './kafka-bus.ts'

const VERSION = '2.16.1'
const PROGRAM = fileURLToPath(new URL('../peers/produce.py', import.meta.url))
const COMPRESSION = 'lz4'

/** Python's client, in C underneath, as its users write: `produce()` per message, `flush()` per 1,000. */
export const confluentKafkaBench: DriverBench = {
  service: 'kafka',
  messages: 100_000,
  ratioMin: 1,
  ours({ url }, run) {
    return publishOnKafka(url, { ...run, compression: COMPRESSION })
  },
  async other({ url }, { name, messages }) {
    const python = await installPython()
    return onKafka(url, { name, compression: COMPRESSION }, async ({ bus }) => {
      const ms = Number(await runTool(python, [PROGRAM, new URL(url).host, name, String(messages)]))
      await checkStored(bus, name, messages)
      return { ms, durability: 'written' }
    })
  },
}

/** A Python of its own in the cache, with the client. Rejects with `ServiceUnavailable`. */
async function installPython(): Promise<string> {
  const folder = await fetchOnce(join(cacheDirectory(), `confluent-kafka-${VERSION}`), async (target) => {
    console.error(`confluent-kafka ${VERSION} is being installed (once)`)
    const install = ['-m', 'pip', 'install', '--quiet', `confluent-kafka==${VERSION}`]
    await runTool('python3', ['-m', 'venv', target])
      .then(() => runTool(join(target, 'bin/python'), install))
      .catch((error: Error) => {
        throw new ServiceUnavailable(`confluent-kafka is not to be had: ${error.message}`)
      })
  })
  return join(folder, 'bin/python')
}
