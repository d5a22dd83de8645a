import type { Disk, DiskFile } from '../../src/core/index.ts'

/** A disk that writes down how many bytes went to a file before each of its syncs. */
export interface WatchedDisk {
  readonly disk: Disk
  /** Bytes of each write, in order, with whether a sync came right behind it. */
  readonly writes: ReadonlyArray<{ bytes: number; synced: boolean }>
  /** Bytes written before a sync that has come back. */
  readonly syncedBytes: number
}

export function watchDisk(disk: Disk): WatchedDisk {
  const writes: Array<{ bytes: number; synced: boolean }> = []
  const counted = { written: 0, synced: 0 }
  const watched: Disk = {
    ...disk,
    async open(path, mode) {
      return watchFile(await disk.open(path, mode), writes, counted)
    },
  }
  return {
    disk: watched,
    writes,
    get syncedBytes() {
      return counted.synced
    },
  }
}

function watchFile(
  file: DiskFile,
  writes: Array<{ bytes: number; synced: boolean }>,
  counted: { written: number; synced: number },
): DiskFile {
  return {
    writev(buffers, position) {
      const bytes = buffers.reduce((sum, buffer) => sum + buffer.byteLength, 0)
      writes.push({ bytes, synced: false })
      counted.written += bytes
      return file.writev(buffers, position)
    },
    async datasync() {
      const last = writes.at(-1)
      if (last !== undefined) last.synced = true
      const { written } = counted
      await file.datasync()
      counted.synced = written
    },
    read: (target, position) => file.read(target, position),
    truncate: (length) => file.truncate(length),
    size: () => file.size(),
    close: () => file.close(),
  }
}
