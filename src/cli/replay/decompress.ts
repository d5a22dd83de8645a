import { pipeline, Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { SkeinError } from '../../core/index.ts'

/** The bytes as they are, or unpacked when they begin with gzip's magic number (RFC 1952 §2.3.1), whatever the file's name. */
export async function* decompressed(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]()
  let head: Uint8Array = new Uint8Array(0)
  while (head.length < 2) {
    const next = await iterator.next()
    if (next.done) break
    head = head.length === 0 ? next.value : Buffer.concat([head, next.value])
  }
  const whole = rejoined(head, iterator)
  if (head[0] === 0x1f && head[1] === 0x8b) yield* gunzipped(whole)
  else yield* whole
}

async function* rejoined(head: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    if (head.length > 0) yield head
    for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value
  } finally {
    await rest.return?.()
  }
}

async function* gunzipped(packed: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip({ chunkSize: 256 * 1024 })
  // Errors of either side surface in the loop below; the callback only keeps them from being unhandled.
  pipeline(Readable.from(packed, { objectMode: false }), gunzip, () => {})
  try {
    for await (const chunk of gunzip) yield chunk as Uint8Array
  } catch (error) {
    if (error instanceof SkeinError) throw error
    const why = (error as Error).message
    throw new SkeinError('bad-input', `Cannot unpack the gzip data: ${why}; the file is damaged or incomplete`, {
      cause: error,
    })
  }
}
