import { SkeinError } from '../../core/index.ts'
import { readTextFile } from '../../core/system/index.ts'
import type { ArchivePlaceSpec, ArchiveSpec, Binding } from '../../fabric/index.ts'

export interface Configured {
  readonly archives: readonly ArchiveSpec[]
  readonly brokers: Binding['brokers']
}

/** The archives of a configuration file, and its brokers. */
export async function configuredArchives(file: string): Promise<Configured> {
  // Loaded here, so that the other commands start without it.
  const { readConfig } = await import('../../fabric/index.ts')
  const { archives, brokers } = readConfig({ file: { name: file, text: await readTextFile(file) } })
  return { archives, brokers: (brokers ?? {}) as Binding['brokers'] }
}

/** An archive's place as it was typed, with the credentials that the configuration file has for it. */
export async function archivePlace(place: string, { config }: { readonly config?: string }): Promise<ArchivePlaceSpec> {
  if (config === undefined) return { place }
  const found = (await configuredArchives(config)).archives.find(({ to }) => to.place === place)
  if (found !== undefined) return found.to
  throw new SkeinError('bad-argument', `Cannot find the archive "${place}": ${config} has none at that place`)
}
