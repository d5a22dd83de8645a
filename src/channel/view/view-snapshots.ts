import { createHash } from 'node:crypto'
import { SkeinError } from '../../core/index.ts'
import type { ObjectStore } from '../../objects/index.ts'
import type { UnfinishedSet } from './folded-places.ts'

const FORMAT = 1
const KEPT = 2

/** The last sequence folded in, per topic and partition. */
export type ViewPositions = ReadonlyMap<string, ReadonlyMap<number, number>>

export interface ViewSnapshot {
  /** Messages folded in: names the snapshot, and orders snapshots. */
  readonly folded: number
  readonly positions: ViewPositions
  /** Per topic: large values that began there and are not folded in. */
  readonly unfinished: ReadonlyMap<string, readonly UnfinishedSet[]>
  /** As JSON. */
  readonly state: string
}

export interface ViewSnapshotsOptions {
  readonly objects: ObjectStore
  readonly name: string
  /** Of the fold: a snapshot of another version is not used. */
  readonly version: number
  readonly onError: (error: unknown) => void
}

interface Stored {
  readonly format: number
  readonly version: number
  readonly folded: number
  readonly positions: ReadonlyArray<readonly [topic: string, ReadonlyArray<readonly [partition: number, last: number]>]>
  /** Absent in snapshots of before there was one. */
  readonly unfinished?: ReadonlyArray<readonly [topic: string, readonly UnfinishedSet[]]>
  readonly state: string
}

/** A view's snapshots in the object store: the two newest, each with the SHA-256 of its content in its first line. */
export class ViewSnapshots {
  readonly #options: ViewSnapshotsOptions
  readonly #prefix: string

  constructor(options: ViewSnapshotsOptions) {
    this.#options = options
    this.#prefix = `views/${options.name}/`
  }

  /** The newest that is whole and of this version. A damaged one is reported and passed over. */
  async load(): Promise<ViewSnapshot | undefined> {
    const found = await this.#options.objects.list(this.#prefix)
    for (const { name } of found.toReversed()) {
      try {
        const stored = parse(name, await this.#options.objects.get(name))
        if (stored.version === this.#options.version) return snapshotOf(stored)
      } catch (error) {
        this.#options.onError(error)
      }
    }
    return undefined
  }

  /** They are of a log that is no more. */
  async deleteAll(): Promise<void> {
    const { objects } = this.#options
    for (const { name } of await objects.list(this.#prefix)) await objects.delete(name)
  }

  async save(snapshot: ViewSnapshot): Promise<void> {
    const { objects, version } = this.#options
    const positions = [...snapshot.positions].map(([topic, partitions]) => [topic, [...partitions]] as const)
    const unfinished = [...snapshot.unfinished]
    const { folded, state } = snapshot
    const stored: Stored = { format: FORMAT, version, folded, positions, unfinished, state }
    const content = JSON.stringify(stored)
    const name = `${this.#prefix}${String(snapshot.folded).padStart(16, '0')}`
    await objects.put(name, Buffer.from(`${sha256(content)}\n${content}`))
    const all = await objects.list(this.#prefix)
    for (const old of all.slice(0, -KEPT)) await objects.delete(old.name)
  }
}

function parse(name: string, bytes: Uint8Array): Stored {
  const text = Buffer.from(bytes).toString('utf8')
  const [digest, content] = [text.slice(0, 64), text.slice(65)]
  if (sha256(content) !== digest) {
    throw new SkeinError(
      'corrupt',
      `Cannot use the snapshot "${name}": its SHA-256 differs; an older one or the log serves`,
    )
  }
  const stored = JSON.parse(content) as Stored
  if (stored.format === FORMAT) return stored
  throw new SkeinError(
    'future-version',
    `Cannot use the snapshot "${name}": its format is ${stored.format}, not ${FORMAT}`,
  )
}

function snapshotOf(stored: Stored): ViewSnapshot {
  const positions = new Map(stored.positions.map(([topic, partitions]) => [topic, new Map(partitions)]))
  return { folded: stored.folded, positions, unfinished: new Map(stored.unfinished), state: stored.state }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
