import { createHash } from 'node:crypto'
import { type Random, SkeinError } from '../core/index.ts'
import type { ObjectInfo, ObjectStore } from '../objects/index.ts'
import { type ChunkInfo, decodeManifest, encodeManifest, type SnapshotManifest } from './snapshot-manifest.ts'
import type { SnapshotRef } from './snapshot-ref.ts'

export interface SnapshotStoreOptions {
  readonly objects: ObjectStore
  /** Makes names unique. */
  readonly random: Random
  /** Where this log's snapshots begin, ending with `/`: one per log and, in a directory, per member. Default `snapshots/`. */
  readonly prefix?: string
  /** Default 1 MiB. */
  readonly chunkBytes?: number
}

const CHUNK_BYTES = 1024 * 1024

/**
 * Snapshots in an object store: chunks with checksums, and a manifest that is put last, so that a snapshot without one
 * does not exist. What `write` has resolved is as durable as the store.
 */
export class SnapshotStore {
  readonly #objects: ObjectStore
  readonly #random: Random
  readonly #prefix: string
  readonly #chunkBytes: number

  constructor(options: SnapshotStoreOptions) {
    this.#objects = options.objects
    this.#random = options.random
    this.#prefix = options.prefix ?? 'snapshots/'
    this.#chunkBytes = options.chunkBytes ?? CHUNK_BYTES
  }

  /**
   * Stores the state as it was when the entry at `index` had been applied. Rejects with what the store rejects with, and
   * with `bad-argument`.
   */
  async write(
    at: { readonly index: number; readonly timeMs: number },
    state: Uint8Array | AsyncIterable<Uint8Array>,
  ): Promise<SnapshotRef> {
    if (!Number.isSafeInteger(at.index) || at.index < 0 || !Number.isFinite(at.timeMs)) {
      throw new SkeinError('bad-argument', `Cannot write a snapshot at entry ${at.index}, of time ${at.timeMs}`)
    }
    const name = `${this.#prefix}${String(at.index).padStart(16, '0')}-${this.#unique()}`
    const chunks: ChunkInfo[] = []
    for await (const bytes of inChunks(state, this.#chunkBytes)) {
      await this.#objects.put(chunkName(name, chunks.length), bytes)
      chunks.push({ bytes: bytes.byteLength, checksum: sha256(bytes) })
    }
    return this.#finish({ ...at, chunks }, name)
  }

  async #finish(manifest: SnapshotManifest, name: string): Promise<SnapshotRef> {
    const encoded = encodeManifest(manifest)
    await this.#objects.put(`${name}/manifest`, encoded)
    const { index, timeMs, chunks } = manifest
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.bytes, 0)
    return { index, timeMs, name, bytes, checksum: sha256(encoded) }
  }

  #unique(): string {
    return Buffer.from(this.#random.bytes(6)).toString('hex')
  }

  /**
   * The state, chunk by chunk, each checked before it is given. Rejects with `corrupt` for a chunk or a manifest that
   * is not what was written, with `not-found` when something of it is missing.
   */
  async *read(snapshot: SnapshotRef): AsyncGenerator<Uint8Array, void, undefined> {
    const { chunks } = await this.manifest(snapshot)
    for (let number = 0; number < chunks.length; number += 1) yield await this.chunk(snapshot, number, chunks[number]!)
  }

  /** What it consists of. Rejects as `read` does. */
  async manifest(snapshot: SnapshotRef): Promise<SnapshotManifest> {
    const encoded = await this.#objects.get(`${snapshot.name}/manifest`)
    if (sha256(encoded) !== snapshot.checksum) throw damaged(snapshot.name, 'its manifest is not what was written')
    const manifest = decodeManifest(encoded, snapshot.name)
    if (manifest.index !== snapshot.index) throw damaged(snapshot.name, `it ends at entry ${manifest.index}`)
    return manifest
  }

  async chunk(snapshot: SnapshotRef, number: number, expected: ChunkInfo): Promise<Uint8Array> {
    const bytes = await this.#objects.get(chunkName(snapshot.name, number))
    if (bytes.byteLength === expected.bytes && sha256(bytes) === expected.checksum) return bytes
    throw damaged(snapshot.name, `chunk ${number} is not what was written`)
  }

  /** The same snapshot under a name of this store's own: for one that comes from another member. */
  own(snapshot: SnapshotRef): SnapshotRef {
    return { ...snapshot, name: `${this.#prefix}${snapshot.name.slice(snapshot.name.lastIndexOf('/') + 1)}` }
  }

  /** Whether that chunk is here and whole: it need not be fetched again. */
  async hasChunk(snapshot: SnapshotRef, number: number, expected: ChunkInfo): Promise<boolean> {
    try {
      await this.chunk(snapshot, number, expected)
      return true
    } catch (error) {
      if (error instanceof SkeinError && (error.code === 'not-found' || error.code === 'corrupt')) return false
      throw error
    }
  }

  /** Takes a chunk from elsewhere. Rejects with `corrupt` when it is not what the manifest says. */
  async putChunk(
    snapshot: SnapshotRef,
    chunk: { readonly number: number; readonly expected: ChunkInfo },
    bytes: Uint8Array,
  ): Promise<void> {
    const { number, expected } = chunk
    if (bytes.byteLength !== expected.bytes || sha256(bytes) !== expected.checksum) {
      throw damaged(snapshot.name, `chunk ${number} arrived damaged`)
    }
    await this.#objects.put(chunkName(snapshot.name, number), bytes)
  }

  /** Makes a snapshot whose chunks were all taken exist. Rejects with `corrupt` when the manifest is not that of the reference. */
  async adopt(snapshot: SnapshotRef, manifest: SnapshotManifest): Promise<void> {
    const encoded = encodeManifest(manifest)
    if (sha256(encoded) !== snapshot.checksum) throw damaged(snapshot.name, 'its manifest arrived damaged')
    await this.#objects.put(`${snapshot.name}/manifest`, encoded)
  }

  /** Deletes every snapshot of this log but those named, unfinished ones included. */
  async deleteOthers(kept: readonly SnapshotRef[]): Promise<void> {
    const isKept = ({ name }: ObjectInfo) => kept.some((snapshot) => name.startsWith(`${snapshot.name}/`))
    const found = await this.#objects.list(this.#prefix)
    // The manifest goes first, so that what is half deleted does not exist.
    const doomed = found.filter((info) => !isKept(info)).sort((left) => (left.name.endsWith('/manifest') ? -1 : 1))
    for (const { name } of doomed) await this.#objects.delete(name)
  }
}

function chunkName(name: string, number: number): string {
  return `${name}/chunk-${String(number).padStart(6, '0')}`
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function damaged(name: string, why: string): SkeinError {
  return new SkeinError('corrupt', `Cannot use the snapshot ${name}: ${why}; fetch it again or take another one`)
}

/** Cuts and joins what comes into pieces of one size; the last may be smaller. */
async function* inChunks(
  state: Uint8Array | AsyncIterable<Uint8Array>,
  chunkBytes: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (state instanceof Uint8Array) {
    for (let at = 0; at < state.byteLength; at += chunkBytes) yield state.subarray(at, at + chunkBytes)
    return
  }
  let open = new Uint8Array(chunkBytes)
  let used = 0
  for await (const bytes of state) {
    if (!(bytes instanceof Uint8Array)) {
      throw new SkeinError('bad-argument', `Cannot write a snapshot of a ${typeof bytes}: give pieces of bytes`)
    }
    for (let at = 0; at < bytes.byteLength; ) {
      const part = bytes.subarray(at, at + chunkBytes - used)
      open.set(part, used)
      used += part.byteLength
      at += part.byteLength
      if (used < chunkBytes) continue
      yield open
      open = new Uint8Array(chunkBytes)
      used = 0
    }
  }
  if (used > 0) yield open.subarray(0, used)
}
