import { createHash } from 'node:crypto'
import { copyFile, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cacheDirectory } from '../../test/services/cache-directory.ts'
import { fetchOnce } from '../../test/services/fetch-once.ts'
import { runTool } from '../../test/services/run-tool.ts'
import { ServiceUnavailable } from '../../test/services/service.ts'

const PEERS = fileURLToPath(new URL('../peers/', import.meta.url))
const LOCK = 'package-lock.json'

/**
 * Loads a package of `bench/peers/`, installed into the cache once: its parts do not agree with the versions that the project
 * itself is built on. Rejects with `ServiceUnavailable`.
 */
export async function loadPeer(name: string): Promise<unknown> {
  const lock = await readFile(join(PEERS, LOCK))
  const version = createHash('sha256').update(lock).digest('hex').slice(0, 12)
  const folder = await fetchOnce(join(cacheDirectory(), `bench-peers-${version}`), async (target) => {
    console.error(`${name} is being installed (once)`)
    for (const file of ['package.json', LOCK]) await copyFile(join(PEERS, file), join(target, file))
    const install = ['ci', '--ignore-scripts', '--no-audit', '--no-fund']
    await runTool('npm', install, { directory: target }).catch((error: Error) => {
      throw new ServiceUnavailable(`${name} is not to be had: ${error.message}`)
    })
  })
  return createRequire(join(folder, 'package.json'))(name)
}
