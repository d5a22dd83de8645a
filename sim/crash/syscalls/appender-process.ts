import { writeSync } from 'node:fs'
import { SkeinError } from '../../../src/core/index.ts'
import { systemClock, systemDisk } from '../../../src/core/system/index.ts'
import { type Log, openLog } from '../../../src/log/index.ts'
import { type Attempt, LogLedger } from '../log/log-ledger.ts'

/** What the process tells on its standard output, one JSON object a line. */
export type AppenderLine =
  | { readonly kind: 'attempt'; readonly attempt: Attempt }
  | { readonly kind: 'untyped'; readonly message: string }
  | { readonly kind: 'end' }

const APPENDS = 12

function tell(line: AppenderLine): void {
  writeSync(1, `${JSON.stringify(line)}\n`)
}

function tellError(what: string, error: unknown): void {
  if (!(error instanceof SkeinError)) tell({ kind: 'untyped', message: `${what} failed without a type: ${error}` })
}

/** Appends to a log on the real disk and tells each outcome; restarts it once when a sync has failed. */
async function main(directory: string): Promise<void> {
  const ledger = new LogLedger()
  const open = () => openLog({ disk: systemDisk(), clock: systemClock, directory, segmentBytes: 1_500, idleMs: 1 })
  let log: Log | undefined
  for (let index = 0; index < APPENDS; index += 1) {
    try {
      if (log?.status().poisoned) await log.close()
      if (log === undefined || log.status().poisoned) log = await open()
      tell({ kind: 'attempt', attempt: await ledger.append(log, 2, 'durable') })
    } catch (error) {
      tellError('open', error)
    }
  }
  await log?.close().catch((error: unknown) => tellError('close', error))
  tell({ kind: 'end' })
}

await main(process.argv[2]!)
