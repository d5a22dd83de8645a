/**
 * A file system, handed in so that power loss can be simulated. Paths are absolute or relative to the disk's own root;
 * `/` separates. Failures are `SkeinError`: `disk-full` (ENOSPC, EDQUOT), `not-found` (ENOENT), `locked`, else
 * `io-failed` with the system's `cause` and `details.syscall` and `details.errno`.
 */
export interface Disk {
  /** `memory` is lost with the process, so nothing on it is ever `durable`. */
  readonly kind: 'real' | 'memory'
  open(path: string, mode: OpenMode): Promise<DiskFile>
  /** Names (not paths) of the entries, sorted. */
  list(directory: string): Promise<string[]>
  /** Creates the parents too; one that exists is fine. Does not sync: call `syncDirectory` on the parent. */
  makeDirectory(directory: string): Promise<void>
  /** Makes creations, renames and removals in this directory survive power loss. */
  syncDirectory(directory: string): Promise<void>
  /** Replaces `to` atomically. */
  rename(from: string, to: string): Promise<void>
  /**
   * Gives a file a second name, at once or not at all. Resolves to false where something has that name already, and leaves it.
   * Rejects with `io-failed` on a file system without such names.
   */
  link(from: string, to: string): Promise<boolean>
  remove(path: string): Promise<void>
  /** Bytes, or undefined when there is no such file. */
  size(path: string): Promise<number | undefined>
  /** Takes the directory for this process alone; the kernel or the next owner releases it when this process dies. */
  lock(directory: string): Promise<DiskLock>
}

/** `create` fails when the file exists; `write` opens an existing file for reading and writing. */
export type OpenMode = 'read' | 'write' | 'create'

export interface DiskFile {
  /** Writes all buffers one after the other at `position`: one system call unless the system writes short. */
  writev(buffers: readonly Uint8Array[], position: number): Promise<void>
  /** Fills `target` from `position`; resolves to the bytes read, fewer only at the end of the file. */
  read(target: Uint8Array, position: number): Promise<number>
  /** `fdatasync`. After a failure the state of unsynced pages is unknown and no retry can be trusted. */
  datasync(): Promise<void>
  truncate(length: number): Promise<void>
  size(): Promise<number>
  close(): Promise<void>
}

export interface DiskLock {
  release(): Promise<void>
}
