/** One member of a Raft group as a process of its own: options as JSON in its argument, questions and answers as lines of JSON. */
import { createInterface } from 'node:readline'
import { openRaftLog } from '../../../src/consensus/index.ts'
import { systemClock, systemDisk, systemNetwork, systemRandom } from '../../../src/core/system/index.ts'
import { contents } from './raft-group.ts'

/** What a process is asked; its answer has the same `call`. */
export interface Question {
  readonly call: number
  readonly append?: readonly string[]
  /** All that is committed, through a read point. */
  readonly read?: true
}

export interface Answer {
  readonly call: number
  readonly state: string
  readonly error?: string
  readonly found?: readonly string[]
}

const log = await openRaftLog({
  clock: systemClock,
  random: systemRandom,
  disk: systemDisk(),
  network: systemNetwork,
  ...JSON.parse(process.argv[2]!),
})

async function answer({ append, read }: Question): Promise<Partial<Answer>> {
  try {
    if (append !== undefined) await log.append(append.map((text) => Buffer.from(text)))
    if (read === undefined) return {}
    await log.barrier()
    return { found: await contents(log) }
  } catch (error) {
    return { error: (error as { code?: string }).code ?? String(error) }
  }
}

createInterface({ input: process.stdin })
  .on('line', async (line) => {
    const question: Question = JSON.parse(line)
    const result = { call: question.call, ...(await answer(question)), state: log.status().state }
    process.stdout.write(`${JSON.stringify(result)}\n`)
  })
  // Whoever started it is gone.
  .on('close', () => process.exit(0))
