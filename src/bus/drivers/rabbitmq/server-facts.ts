import type { ChannelModel } from 'amqplib'

/** What the broker behind a connection is, and what its version lacks. */
export interface ServerFacts {
  readonly product: string
  readonly version: string
  /** One sentence each, for people. */
  readonly lacks: readonly string[]
}

const SINCE: ReadonlyArray<readonly [major: number, minor: number, what: string]> = [
  [3, 9, 'streams: topics with a log cannot be opened'],
  [3, 11, 'single active consumers on streams: Skein shares partitions out itself'],
  [3, 13, 'stream filters: every reader of a log is sent all of it, and filters here'],
  [4, 0, 'a delivery limit by default: Skein counts attempts itself'],
  [4, 3, 'delayed retries of its own: Skein holds a failed message back itself'],
]

export function serverFacts(model: ChannelModel): ServerFacts {
  const { product, version } = model.connection.serverProperties
  return {
    product,
    version,
    lacks: SINCE.filter(([major, minor]) => !isAtLeast(version, major, minor)).map(([, , what]) => what),
  }
}

export function isAtLeast(version: string, major: number, minor: number): boolean {
  const [ownMajor = 0, ownMinor = 0] = version.split('.').map(Number)
  return ownMajor > major || (ownMajor === major && ownMinor >= minor)
}
