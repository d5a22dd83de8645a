import type { SkeinError } from '../../core/index.ts'
import { type Archive, type ArchiveStatus, openArchive } from '../../transfer/index.ts'
import { NamedBuses, type NamedBusesOptions } from '../binding/named-buses.ts'
import { machineOf } from '../machine.ts'
import { Together } from '../together.ts'
import type { ArchiveSpec } from './archive-spec.ts'
import { openArchiveStore } from './open-archive-store.ts'

export interface OpenArchivesOptions extends Omit<NamedBusesOptions, 'client'> {
  readonly onProblem: (problem: SkeinError) => void
}

/** Connects to the brokers that the archives name, each once, and opens all archives or none. Rejects as `openArchive` does. */
export async function openArchives(
  specs: readonly ArchiveSpec[],
  options: OpenArchivesOptions,
): Promise<Together<ArchiveStatus>> {
  await using parts = new AsyncDisposableStack()
  const buses = new NamedBuses({ ...options, client: 'skein-archive' }, parts)
  const { clock, random, disk } = machineOf(options.machine ?? {})
  const archives: Archive[] = []
  for (const { from, to, start, segmentBytes, segmentAgeMs, takeOver } of specs) {
    const bus = await buses.get(from.broker)
    const store = parts.adopt(await openArchiveStore(to, { disk, create: true }), (open) => open.close())
    const archive = await openArchive({
      ...{ source: { bus, topic: from.topic }, store, clock, random },
      ...{ from: start, segmentBytes, segmentAgeMs, takeOver },
      ...{ signal: options.signal, onProblem: options.onProblem },
    })
    archives.push(parts.adopt(archive, (open) => open.close()))
  }
  return new Together(archives, parts.move())
}
