import { type RestoreOptions, type RestoreReport, restoreArchive } from '../../transfer/index.ts'
import { NamedBuses, type NamedBusesOptions } from '../binding/named-buses.ts'
import { machineOf } from '../machine.ts'
import type { ArchivePlaceSpec } from './archive-spec.ts'
import { openArchiveStore } from './open-archive-store.ts'

export interface RestoreFromOptions
  extends Omit<NamedBusesOptions, 'client'>,
    Omit<RestoreOptions, 'store' | 'target' | 'clock' | 'random' | 'signal'> {
  readonly to: { readonly broker: string; readonly topic?: string | undefined }
}

/** Connects to a broker and restores the archive at a place into a topic of it. Rejects as `restoreArchive` does. */
export async function restoreFrom(place: ArchivePlaceSpec, options: RestoreFromOptions): Promise<RestoreReport> {
  await using parts = new AsyncDisposableStack()
  const { clock, random, disk } = machineOf(options.machine ?? {})
  const store = parts.adopt(await openArchiveStore(place, { disk, create: false }), (open) => open.close())
  const bus = await new NamedBuses({ ...options, client: 'skein-restore' }, parts).get(options.to.broker)
  return await restoreArchive({ ...options, store, target: { bus, topic: options.to.topic }, clock, random })
}
