import type { Disk, DiskFile } from '../../src/core/index.ts'

/** A disk that writes down how many bytes went to a file before each of its syncs. */
export interface WatchedDisk {
  readonly disk: Disk
  /** Bytes of each write, in order, with whether a sync came right behind it. */
  readonly writes: ReadonlyArray<{ bytes: number; synced: boolean }>
}

export function watchDisk(disk: Disk): WatchedDisk {
  const writes: Array<{ bytes: number; synced: boolean }> = []
  const watched: Disk = {
    ...disk,
    async open(path, mode) {
      return watchFile(await disk.open(path, mode), writes)
    },
  }
  return { disk: watched, writes }
}

function watchFile(file: DiskFile, writes: Array<{ bytes: number; synced: boolean }>): DiskFile {
  return {
    writev(buffers, position) {
      writes.push({ bytes: buffers.reduce((sum, buffer) => sum + buffer.byteLength, 0), synced: false })
      return file.writev(buffers, position)
    },
    datasync() {
      const last = writes.at(-1)
      if (last !== undefined) last.synced = true
      return file.datasync()
    },
    read: (target, position) => file.read(target, position),
    truncate: (length) => file.truncate(length),
    size: () => file.size(),
    close: () => file.close(),
  }
}
