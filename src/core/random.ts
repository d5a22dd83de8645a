/** Randomness, handed in so that a seed replays a run. */
export interface Random {
  /** Uniform in [0, 1). */
  float(): number
  /** `length` random bytes. */
  bytes(length: number): Uint8Array
}
