/** Rejects when the time is over: what hangs has failed. */
export async function timed<T>(run: Promise<T>, withinMs: number): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`not finished within ${withinMs} ms`)), withinMs)
  try {
    return await Promise.race([run, late])
  } finally {
    clearTimeout(timer)
  }
}
