// Safe integers in eight bytes, little-endian, without BigInt: two's complement, so that other languages read an i64.

const HIGH = 0x1_0000_0000

export function writeInteger(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true)
  view.setInt32(at + 4, Math.floor(value / HIGH), true)
}

export function readInteger(view: DataView, at: number): number {
  return view.getInt32(at + 4, true) * HIGH + view.getUint32(at, true)
}
