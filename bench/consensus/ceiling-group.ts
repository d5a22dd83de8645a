import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CallFrames, commandsOf } from '../../sim/members/call-frames.ts'
import type { CeilingSpec } from './ceiling-process.ts'
import type { LoadSide } from './load.ts'
import type { LoadTarget } from './load-client.ts'

const PROGRAM = fileURLToPath(new URL('./ceiling-process.ts', import.meta.url))

/** Three processes that replicate and sync, and do nothing else. */
export class CeilingGroup implements LoadSide {
  readonly ledger = new Map<number, number>()
  readonly targets: readonly LoadTarget[]
  readonly #children: readonly ChildProcess[]
  readonly #files: readonly string[]

  private constructor(
    port: number,
    parts: { readonly children: readonly ChildProcess[]; readonly files: readonly string[] },
  ) {
    this.targets = [{ id: 1, port }]
    this.#children = parts.children
    this.#files = parts.files
  }

  static async start(directory: string): Promise<CeilingGroup> {
    const files = [1, 2, 3].map((number) => join(directory, `bare-${number}`))
    const [first, second] = await Promise.all(files.slice(1).map((file) => start({ file, followers: [] })))
    const leader = await start({ file: files[0]!, followers: [first!.port, second!.port] })
    return new CeilingGroup(leader.port, { children: [leader.child, first!.child, second!.child], files })
  }

  /** Throws unless two of the files have as many proposals as were acknowledged. */
  async check(): Promise<void> {
    const acknowledged = [...this.ledger.values()].reduce((sum, count) => sum + count, 0)
    const counts = await Promise.all(this.#files.map(countCommands))
    if (counts.filter((count) => count >= acknowledged).length >= 2) return
    throw new Error(`The bare loop acknowledged ${acknowledged} proposals and has ${counts.join(', ')}`)
  }

  async stop(): Promise<void> {
    await Promise.all(
      this.#children.map((child) => {
        const ended = once(child, 'exit')
        child.disconnect()
        return ended
      }),
    )
  }
}

async function start(spec: CeilingSpec): Promise<{ readonly child: ChildProcess; readonly port: number }> {
  const child = fork(PROGRAM, [JSON.stringify(spec)])
  const [{ clientPort }] = (await once(child, 'message')) as [{ readonly clientPort: number }]
  return { child, port: clientPort }
}

async function countCommands(file: string): Promise<number> {
  const frames = new CallFrames()
  let count = 0
  for await (const chunk of createReadStream(file)) {
    frames.push(chunk as Buffer, ({ rest }) => {
      count += commandsOf(rest).length
    })
  }
  return count
}
