import { WriteError, type Writer } from '../src/bus/index.ts'
import type { Random } from '../src/core/index.ts'

/** From now on a third of its writes fail, after all, some or none of the batch was stored: nobody is told how much. */
export function falter(writer: Writer, random: Random): void {
  const write = writer.write.bind(writer)
  writer.write = async (batch) => {
    if (random.float() < 0.67) return write(batch)
    const stored = Math.floor(random.float() * (batch.length + 1))
    if (stored > 0) await write(batch.slice(0, stored))
    const unknown = batch.map((_, at) => at)
    throw new WriteError('Cannot write: the test wants it so', { accepted: [], unknown, retryable: true })
  }
}
