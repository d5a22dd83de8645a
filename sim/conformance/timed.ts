const CASE_MS = 30_000

/** Rejects after half a minute: what hangs has failed. */
export async function timed<T>(run: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`not finished within ${CASE_MS} ms`)), CASE_MS)
  try {
    return await Promise.race([run, late])
  } finally {
    clearTimeout(timer)
  }
}
