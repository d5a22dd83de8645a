import type { S3Client } from '@aws-sdk/client-s3'
import { SkeinError } from '../core/index.ts'
import { loadS3Library, type S3Library } from './load-s3-library.ts'
import { checkName, checkObjectSize } from './object-name.ts'
import type { ObjectInfo, ObjectStore } from './object-store.ts'
import { isThereAlready, s3Error } from './s3-error.ts'

export interface S3StoreOptions {
  readonly bucket: string
  /** Before every name, ending with `/`. Default none. */
  readonly prefix?: string
  /** Of a service that speaks S3. Default: Amazon's own in that region. */
  readonly endpoint?: string
  /** Default `us-east-1`. */
  readonly region?: string
  /** Default: as the S3 client finds them on this machine. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string }
  /** The bucket stands in the path, not in the host's name: what most other services want. Default: with an `endpoint`. */
  readonly pathStyle?: boolean
  /** Tries of one request, with the client's own back-off. Default 3. */
  readonly attemptsMax?: number
}

/**
 * An object store in a bucket of S3 or a service that speaks it. What `put` has resolved survives what that service promises.
 * Rejects with `unsupported` without the package, `not-found` without the bucket, `unauthorised`, `connection-lost`.
 */
export async function openS3Store(options: S3StoreOptions): Promise<ObjectStore & { close(): void }> {
  const library = await loadS3Library()
  const { bucket, endpoint, region = 'us-east-1', credentials, attemptsMax = 3 } = options
  const client = new library.S3Client({
    region,
    maxAttempts: attemptsMax,
    forcePathStyle: options.pathStyle ?? endpoint !== undefined,
    ...(endpoint !== undefined && { endpoint }),
    ...(credentials !== undefined && { credentials }),
  })
  try {
    // An answer to a listing says what is wrong, that to a question for the bucket alone has no room for words.
    await client.send(new library.ListObjectsV2Command({ Bucket: bucket, MaxKeys: 1 }))
  } catch (cause) {
    client.destroy()
    throw s3Error(`use the bucket "${bucket}"`, cause)
  }
  return new S3Store(client, library, { bucket, prefix: options.prefix ?? '' })
}

class S3Store implements ObjectStore {
  readonly #client: S3Client
  readonly #library: S3Library
  readonly #bucket: string
  readonly #prefix: string

  constructor(client: S3Client, library: S3Library, place: { readonly bucket: string; readonly prefix: string }) {
    this.#client = client
    this.#library = library
    this.#bucket = place.bucket
    this.#prefix = place.prefix
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    checkObjectSize(name, bytes.byteLength)
    const command = new this.#library.PutObjectCommand({ ...this.#place(name), Body: bytes })
    await this.#run(`store the object "${name}"`, () => this.#client.send(command))
  }

  async create(name: string, bytes: Uint8Array): Promise<boolean> {
    checkObjectSize(name, bytes.byteLength)
    const command = new this.#library.PutObjectCommand({ ...this.#place(name), Body: bytes, IfNoneMatch: '*' })
    try {
      await this.#run(`create the object "${name}"`, () => this.#client.send(command))
      return true
    } catch (error) {
      if (!isThereAlready(error)) throw error
    }
    // An answer that was lost makes the client try again, and find what it has stored itself.
    return Buffer.compare(await this.get(name), bytes) === 0
  }

  async get(name: string): Promise<Uint8Array> {
    const command = new this.#library.GetObjectCommand(this.#place(name))
    return this.#run(`read the object "${name}"`, async () => {
      const { Body: body, ContentLength: length } = await this.#client.send(command)
      const bytes = await body!.transformToByteArray()
      if (length === undefined || bytes.byteLength === length) return bytes
      const message = `Cannot read the object "${name}": it ended after ${bytes.byteLength} of ${length} bytes`
      throw new SkeinError('connection-lost', message, { retryable: true })
    })
  }

  async stat(name: string): Promise<ObjectInfo | undefined> {
    const command = new this.#library.HeadObjectCommand(this.#place(name))
    try {
      const { ContentLength: bytes = 0 } = await this.#run(`find the object "${name}"`, () =>
        this.#client.send(command),
      )
      return { name, bytes }
    } catch (error) {
      if (error instanceof SkeinError && error.code === 'not-found') return undefined
      throw error
    }
  }

  async delete(name: string): Promise<void> {
    const command = new this.#library.DeleteObjectCommand(this.#place(name))
    await this.#run(`delete the object "${name}"`, () => this.#client.send(command))
  }

  async list(prefix: string): Promise<readonly ObjectInfo[]> {
    if (prefix !== '') checkName(prefix.replace(/\/$/, ''))
    const found: ObjectInfo[] = []
    let token: string | undefined
    do {
      const command = new this.#library.ListObjectsV2Command({
        Bucket: this.#bucket,
        Prefix: `${this.#prefix}${prefix}`,
        ...(token !== undefined && { ContinuationToken: token }),
      })
      const page = await this.#run(`list the objects under "${prefix}"`, () => this.#client.send(command))
      for (const { Key: key = '', Size: bytes = 0 } of page.Contents ?? []) {
        found.push({ name: key.slice(this.#prefix.length), bytes })
      }
      token = page.NextContinuationToken
    } while (token !== undefined)
    return found.sort((left, right) => (left.name < right.name ? -1 : 1))
  }

  /** Ends its connections. */
  close(): void {
    this.#client.destroy()
  }

  #place(name: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.#bucket, Key: `${this.#prefix}${checkName(name).join('/')}` }
  }

  async #run<T>(action: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call()
    } catch (cause) {
      throw s3Error(action, cause)
    }
  }
}
