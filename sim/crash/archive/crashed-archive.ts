import { join } from 'node:path'
import type { Bus } from '../../../src/bus/index.ts'
import { systemClock, systemDisk, systemRandom } from '../../../src/core/system/index.ts'
import { openDirectoryStore } from '../../../src/objects/index.ts'
import { type Archive, openArchive } from '../../../src/transfer/index.ts'
import { TOPIC } from '../bridge/bridge-ends.ts'

/** Small and quick, so that an archiver dies between many segments and records, and its successor need not wait long. */
const SIZES = { segmentBytes: 64 * 1024, segmentAgeMs: 200, beatMs: 200 }

export function archiveStore(folder: string) {
  return openDirectoryStore({ disk: systemDisk(), directory: join(folder, 'archive') })
}

/** Waits until the archiver before it counts as dead. */
export async function crashedArchive(bus: Bus, folder: string): Promise<Archive> {
  const store = await archiveStore(folder)
  return openArchive({
    source: { bus, topic: TOPIC },
    ...{ store, clock: systemClock, random: systemRandom, ...SIZES },
    onProblem: ({ message }) => console.error(message),
  })
}
