/** What a server of some version can do. */
export interface ServerFeatures {
  /** 2.11: messages with a time to live of their own. */
  readonly messageTtl: boolean
  /** 2.14: batches that are stored as they come and end at the first gap. */
  readonly fastIngest: boolean
}

const MESSAGE_TTL = [2, 11] as const
const FAST_INGEST = [2, 14] as const

/** Of a version such as `2.15.2` or `2.11.0-dev`. */
export function featuresOf(version: string): ServerFeatures {
  const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10))
  const isAtLeast = ([wantedMajor, wantedMinor]: readonly [number, number]) =>
    major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)
  return { messageTtl: isAtLeast(MESSAGE_TTL), fastIngest: isAtLeast(FAST_INGEST) }
}
