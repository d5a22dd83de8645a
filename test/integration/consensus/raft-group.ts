import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { openRaftLog, type RaftLog, type RaftLogOptions } from '../../../src/consensus/index.ts'
import { systemClock, systemDisk, systemNetwork, systemRandom } from '../../../src/core/system/index.ts'
import { freePorts } from '../../services/free-ports.ts'
import { until } from '../../until.ts'

/** Members of a Raft group in this process, on the machine's own disk and over TCP on loopback. */
export class RaftGroup {
  readonly directory: string
  readonly logs = new Map<number, RaftLog>()
  readonly #ports: readonly number[]
  readonly #options: Partial<RaftLogOptions>
  readonly #voters: number

  private constructor(directory: string, ports: readonly number[], voters: number, options: Partial<RaftLogOptions>) {
    this.directory = directory
    this.#ports = ports
    this.#voters = voters
    this.#options = options
  }

  /** As many first members as are asked for, none started yet; gone with the test. */
  static async make(t: TestContext, voters: number, options: Partial<RaftLogOptions> = {}): Promise<RaftGroup> {
    const directory = await mkdtemp(join(tmpdir(), 'skein-raft-'))
    const group = new RaftGroup(directory, await freePorts(voters + 2), voters, options)
    t.after(async () => {
      await Promise.all([...group.logs.values()].map((log) => log.close()))
      await rm(directory, { recursive: true, force: true })
    })
    return group
  }

  address(id: number): string {
    return `127.0.0.1:${this.#ports[id - 1]}`
  }

  folder(id: number): string {
    return join(this.directory, `node-${id}`)
  }

  async start(id: number, options: Partial<RaftLogOptions> = {}): Promise<RaftLog> {
    const bootstrap = Array.from({ length: this.#voters }, (_, at) => ({ id: at + 1, address: this.address(at + 1) }))
    const log = await openRaftLog({
      clock: systemClock,
      random: systemRandom,
      disk: systemDisk(),
      network: systemNetwork,
      directory: this.folder(id),
      cluster: 'test',
      id,
      listen: this.address(id),
      // A busy machine keeps a process from its turn for some hundred milliseconds: no leader is to be lost by that.
      heartbeatMs: 50,
      electionTimeoutMs: 800,
      ...(id <= this.#voters && { bootstrap }),
      ...this.#options,
      ...options,
    })
    this.logs.set(id, log)
    return log
  }

  async startAll(): Promise<void> {
    for (let id = 1; id <= this.#voters; id += 1) await this.start(id)
  }

  async stop(id: number): Promise<void> {
    await this.logs.get(id)!.close()
    this.logs.delete(id)
  }

  leaders(): RaftLog[] {
    return [...this.logs.values()].filter((log) => log.status().state === 'leading')
  }

  async leader(): Promise<RaftLog> {
    await until(() => this.leaders().length === 1)
    return this.leaders()[0]!
  }

  /** Appends at whoever leads, as often as it takes; for commands that may be there twice. */
  async append(...commands: string[]): Promise<void> {
    await until(async () => {
      const log = await this.leader()
      try {
        await log.append(commands.map((command) => Buffer.from(command)))
        return true
      } catch (error) {
        if (
          (error as { code?: string }).code === 'not-leader' ||
          (error as { code?: string }).code === 'outcome-unknown'
        )
          return false
        throw error
      }
    })
  }
}

/** What a member's log has now, from an entry on. */
export async function contents(log: RaftLog, from = 0): Promise<string[]> {
  const end = log.status().committedIndex
  const found: string[] = []
  if (from > end) return found
  for await (const read of log.read(from)) {
    if ('snapshot' in read) found.push(`snapshot ${read.snapshot.index}`)
    else for (const { data } of read.entries) found.push(Buffer.from(data).toString())
    if (('snapshot' in read ? read.snapshot.index : read.through) >= end) break
  }
  return found
}
