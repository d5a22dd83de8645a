const SEED = 0x9747b28c
const MULTIPLIER = 0x5bd1e995

const encoder = new TextEncoder()
const scratch = new Uint8Array(4096)

/**
 * The partition of a key: murmur2 over its UTF-8 bytes, made positive, modulo the partition count. This is the rule of
 * Apache Kafka's Java producer (`Utils.murmur2`, `BuiltInPartitioner`), and the same in every driver.
 */
export function partitionOfKey(key: string, partitions: number): number {
  if (partitions === 1) return 0
  return (murmur2(key) & 0x7fffffff) % partitions
}

/** 32-bit murmur2 as a signed integer, as Java's `Utils.murmur2` returns it. */
export function murmur2(key: string): number {
  if (key.length * 3 <= scratch.length) {
    const { written } = encoder.encodeInto(key, scratch)
    return murmur2Bytes(scratch, written)
  }
  const bytes = encoder.encode(key)
  return murmur2Bytes(bytes, bytes.length)
}

function murmur2Bytes(bytes: Uint8Array, length: number): number {
  let hash = SEED ^ length
  const blocks = length & ~3
  for (let index = 0; index < blocks; index += 4) {
    let block = bytes[index]! | (bytes[index + 1]! << 8) | (bytes[index + 2]! << 16) | (bytes[index + 3]! << 24)
    block = Math.imul(block, MULTIPLIER)
    block ^= block >>> 24
    block = Math.imul(block, MULTIPLIER)
    hash = Math.imul(hash, MULTIPLIER) ^ block
  }
  const rest = length & 3
  if (rest === 3) hash ^= bytes[blocks + 2]! << 16
  if (rest >= 2) hash ^= bytes[blocks + 1]! << 8
  if (rest >= 1) hash = Math.imul(hash ^ bytes[blocks]!, MULTIPLIER)
  hash = Math.imul(hash ^ (hash >>> 13), MULTIPLIER)
  return hash ^ (hash >>> 15)
}
