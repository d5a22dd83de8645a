/** The first byte of a frame's body. */
export const FRAME = {
  greeting: 1,
  answer: 2,
  message: 3,
  offer: 10,
  wanted: 11,
  chunk: 12,
  end: 13,
} as const

/** Before it is known who speaks. */
export const GREETING_BYTES_MAX = 8 * 1024
export const GREET_WITHIN_MS = 5_000
