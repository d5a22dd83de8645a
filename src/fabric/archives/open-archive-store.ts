import { type Disk, SkeinError } from '../../core/index.ts'
import { type ObjectStore, openDirectoryStore, openS3Store } from '../../objects/index.ts'
import { resolveSecret } from '../binding/secret-reference.ts'
import type { ArchivePlaceSpec } from './archive-spec.ts'

export interface OpenArchiveStoreOptions {
  readonly disk: Disk
  /** A directory that is not there is made. */
  readonly create: boolean
}

/**
 * The store at an archive's place. Rejects with `bad-argument` for a place that cannot be one, `not-found` for a directory or
 * bucket that is not there, and as the store does.
 */
export async function openArchiveStore(
  { place, credentials }: ArchivePlaceSpec,
  { disk, create }: OpenArchiveStoreOptions,
): Promise<ObjectStore & { close(): void }> {
  if (place.startsWith('s3:')) return openBucket(place, credentials)
  if (/^[a-z][a-z0-9+.-]*:\/\//.test(place)) throw notAPlace(place, 'its address is none of s3:// or a directory')
  if (credentials !== undefined) throw notAPlace(place, 'a directory takes no credentials')
  if (!create) await disk.list(place)
  const store = await openDirectoryStore({ disk, directory: place })
  return Object.assign(store, { close: () => {} })
}

async function openBucket(
  place: string,
  credentials: ArchivePlaceSpec['credentials'],
): Promise<ObjectStore & { close(): void }> {
  const url = URL.parse(place)
  if (url === null || url.hostname === '') throw notAPlace(place, 'give s3://BUCKET/PREFIX')
  const known = new Set(['endpoint', 'region'])
  for (const name of url.searchParams.keys()) {
    if (!known.has(name)) throw notAPlace(place, `it has "${name}"; known are endpoint and region`)
  }
  const [endpoint, region] = [url.searchParams.get('endpoint'), url.searchParams.get('region')]
  const prefix = url.pathname.replace(/^\/+|\/+$/g, '')
  return openS3Store({
    bucket: url.hostname,
    ...(prefix !== '' && { prefix: `${prefix}/` }),
    ...(endpoint !== null && { endpoint }),
    ...(region !== null && { region }),
    ...(credentials && {
      credentials: {
        accessKeyId: await resolveSecret(credentials.accessKeyId),
        secretAccessKey: await resolveSecret(credentials.secretAccessKey),
      },
    }),
  })
}

function notAPlace(place: string, why: string): SkeinError {
  return new SkeinError('bad-argument', `Cannot archive at "${place}": ${why}`, { details: { place } })
}
