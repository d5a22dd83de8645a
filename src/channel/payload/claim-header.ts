/** Where the bytes of a claim-checked value are, and what they must be. */
export interface ClaimMark {
  readonly name: string
  readonly bytes: number
  /** Hex. */
  readonly sha256: string
}

export const CLAIM_HEADER = 'skeinclaim'

export function formatClaimMark(mark: ClaimMark): string {
  return `${mark.bytes};${mark.sha256};${mark.name}`
}

/** Undefined for a header that is none. */
export function parseClaimMark(text: string): ClaimMark | undefined {
  const match = /^(\d{1,12});([0-9a-f]{64});(.+)$/s.exec(text)
  return match === null ? undefined : { bytes: Number(match[1]), sha256: match[2]!, name: match[3]! }
}
