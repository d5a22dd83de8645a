/** For our own mistakes only, and on in production; what the world gets wrong is a `SkeinError`. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`Assertion failed: ${message}`)
}
