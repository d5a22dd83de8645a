/** Zigzag varints of the Kafka protocol, for numbers up to 2^53: no BigInt. Each `put…` returns the next position. */

export function varintBytes(value: number): number {
  let bytes = 1
  for (let rest = zigzag(value); rest >= 128; rest = Math.floor(rest / 128)) bytes += 1
  return bytes
}

export function putVarint(target: Buffer, at: number, value: number): number {
  let rest = zigzag(value)
  let position = at
  while (rest >= 128) {
    target[position] = (rest % 128) + 128
    position += 1
    rest = Math.floor(rest / 128)
  }
  target[position] = rest
  return position + 1
}

function zigzag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1
}

/** Reads varints one after another; `position` moves. A number per call, no object. */
export class VarintReader {
  bytes: Buffer
  position = 0

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  /** At most 32 bits: lengths, counts and offset deltas. */
  int(): number {
    const { bytes } = this
    let byte = bytes[this.position]!
    this.position += 1
    // Most are lengths below 64.
    if (byte < 128) return (byte >>> 1) ^ -(byte & 1)
    let value = byte & 127
    for (let shift = 7; ; shift += 7) {
      byte = bytes[this.position]!
      this.position += 1
      value |= (byte & 127) << shift
      if (byte < 128 || shift > 28) break
    }
    return (value >>> 1) ^ -(value & 1)
  }

  /** Up to 53 bits: timestamp deltas. */
  long(): number {
    let value = 0
    let scale = 1
    for (;;) {
      const byte = this.bytes[this.position]!
      this.position += 1
      value += (byte & 127) * scale
      if (byte < 128 || scale > 2 ** 49) break
      scale *= 128
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }
}
