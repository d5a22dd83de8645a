import { createReadStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { SkeinError } from '../errors.ts'

/** A file's text as UTF-8. Throws `not-found` or `io-failed`. */
export async function readTextFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw fileError(path, error)
  }
}

/** The bytes of a file piece by piece, each valid until the next is asked for, and its size where it has one. */
export interface ByteSource {
  readonly sizeBytes: number | undefined
  readonly chunks: AsyncIterable<Uint8Array>
}

/** Opens a file, or standard input for `-`. Throws `not-found` or `io-failed`, at the open or while reading. */
export async function openByteSource(path: string): Promise<ByteSource> {
  if (path === '-') return { sizeBytes: undefined, chunks: process.stdin }
  try {
    const found = await stat(path)
    if (found.isDirectory()) throw Object.assign(new Error('it is a directory'), { code: 'EISDIR' })
    const { size } = found
    return { sizeBytes: size, chunks: readChunks(path) }
  } catch (error) {
    throw fileError(path, error)
  }
}

async function* readChunks(path: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 256 * 1024 })) yield chunk as Uint8Array
  } catch (error) {
    throw fileError(path, error)
  }
}

function fileError(path: string, error: unknown): SkeinError {
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'ENOENT')
    return new SkeinError('not-found', `Cannot read ${path}: there is no such file`, { cause: error })
  if (code === 'EISDIR')
    return new SkeinError('io-failed', `Cannot read ${path}: it is a directory; name a file in it`, { cause: error })
  return new SkeinError('io-failed', `Cannot read ${path}: ${(error as Error).message}`, { cause: error })
}
