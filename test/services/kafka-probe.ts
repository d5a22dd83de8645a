import type { Connection } from '@platformatic/kafka'

const CONNECT_WITHIN_MS = 2_000

/** From which `metadata.version` on which release: a broker does not say its own. */
const RELEASES: ReadonlyArray<readonly [level: number, release: string]> = [
  [31, '4.4'],
  [30, '4.3'],
  [28, '4.2'],
  [26, '4.1'],
  [22, '4.0'],
]

/** The release that a broker's cluster has been set to. Rejects while the broker is not taking part in its cluster. */
export async function kafkaRelease(url: string): Promise<string> {
  const { hostname, port } = new URL(url)
  const { Connection, apiVersionsV3, metadataV12 } = await import('@platformatic/kafka')
  const connection: Connection = new Connection('skein-services', { connectTimeout: CONNECT_WITHIN_MS })
  connection.on('error', () => {})
  try {
    await connection.connect(hostname, Number(port))
    const { brokers } = await metadataV12.api.async(connection, [], false, false)
    // A single broker may be known under another address: that of a proxy before it.
    const isRegistered = brokers.length === 1 || brokers.some((broker) => broker.port === Number(port))
    if (!isRegistered) throw new Error(`${url} is not registered yet`)
    const { finalizedFeatures } = await apiVersionsV3.api.async(connection, 'skein-services', '1')
    const level = finalizedFeatures?.find(({ name }) => name === 'metadata.version')?.maxVersionLevel ?? 0
    return RELEASES.find(([least]) => level >= least)?.[1] ?? `0.0 (metadata.version ${level})`
  } finally {
    await connection.close()
  }
}
