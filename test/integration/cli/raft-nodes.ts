import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { freePorts } from '../../services/free-ports.ts'
import { until } from '../../until.ts'
import { type Ended, type NodeUnderTest, skein, spawnSkein, startNode, temporaryDirectory } from './skein.ts'

/** What `skein raft status --json` tells, as far as tests ask. */
export interface Told {
  readonly name: string
  readonly state: string
  readonly id: string
  readonly term: number
  readonly leader?: { readonly id: string }
  readonly committedIndex: number
  readonly firstIndex: number
  readonly snapshot?: { readonly index: number }
  readonly members: ReadonlyArray<{ readonly id: string; readonly kind: string }>
  readonly failure?: { readonly code: string }
}

const WITHIN = { withinMs: 60_000, everyMs: 100 }

/** Nodes in processes of their own that keep one replicated log, `decisions`, together. */
export class RaftNodes {
  readonly nodes = new Map<number, NodeUnderTest>()
  readonly directory: string
  readonly #t: TestContext
  readonly #ports: readonly number[]

  private constructor(t: TestContext, directory: string, ports: readonly number[]) {
    this.#t = t
    this.directory = directory
    this.#ports = ports
  }

  /** Nodes 1 to 3 are the first members; 4 and 5 may be added. */
  static async make(t: TestContext): Promise<RaftNodes> {
    return new RaftNodes(t, await temporaryDirectory(t), await freePorts(10))
  }

  url(id: number): string {
    return `http://127.0.0.1:${this.#ports[id - 1]}`
  }

  address(id: number): string {
    return `127.0.0.1:${this.#ports[id + 4]}`
  }

  data(id: number): string {
    return join(this.directory, `node-${id}`)
  }

  config(id: number): string {
    const members = [1, 2, 3].map((one) => ({ id: one, address: this.address(one), url: this.url(one) }))
    const decisions = {
      ...{ cluster: 'test', id, listen: this.address(id), join: id > 3, members },
      ...{ heartbeatMs: 100, electionTimeoutMs: 1_000 },
    }
    return JSON.stringify({ listen: { port: this.#ports[id - 1] }, raft: { decisions } })
  }

  async start(id: number): Promise<NodeUnderTest> {
    const file = join(this.directory, `node-${id}.yaml`)
    await writeFile(file, this.config(id))
    const node = await startNode(this.#t, this.data(id), ['--config', file], { port: this.#ports[id - 1]! })
    this.nodes.set(id, node)
    return node
  }

  async kill(id: number): Promise<void> {
    const { child } = this.nodes.get(id)!
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
    this.nodes.delete(id)
  }

  raft(id: number, ...argv: readonly string[]): Promise<Ended> {
    // A machine that is busy with other tests takes longer to elect somebody.
    const patience = argv.includes('--connect-timeout') ? [] : ['--connect-timeout', '60s']
    return skein(this.#t, ['raft', ...argv, '--url', this.url(id), ...patience])
  }

  async json<Result>(id: number, ...argv: readonly string[]): Promise<Result> {
    const ended = await this.raft(id, ...argv, '--json')
    if (ended.code !== 0) throw new Error(`skein raft ${argv.join(' ')} exited with ${ended.code}: ${ended.stderr}`)
    return JSON.parse(ended.stdout)
  }

  status(id: number): Promise<Told> {
    return this.json<Told>(id, 'status', '--log', 'decisions')
  }

  /** Whom all of these nodes follow. */
  async leader(among: readonly number[]): Promise<number> {
    let found = 0
    await until(async () => {
      const told = await Promise.all(among.map((id) => this.status(id)))
      found = Number(told[0]!.leader?.id ?? 0)
      const isHere = told.some(({ id, state }) => Number(id) === found && state === 'leading')
      return isHere && told.every(({ leader }) => Number(leader?.id) === found)
    }, WITHIN)
    return found
  }

  /** The texts of the log, as one node gives them. */
  async read(id: number, ...flags: readonly string[]): Promise<string[]> {
    const { stdout, code, stderr } = await this.raft(id, 'read', '--json', ...flags)
    if (code !== 0) throw new Error(`skein raft read exited with ${code}: ${stderr}`)
    const lines = stdout.split('\n').filter((line) => line !== '')
    return lines.map((line) => (JSON.parse(line) as Entry).text)
  }

  /** A process that prints what comes until it is stopped. */
  follow(id: number, from: number): { readonly texts: string[]; stop(): Promise<number | null> } {
    const argv = ['raft', 'read', '--follow', '--json', '--from', `${from}`, '--url', this.url(id)]
    const child = spawnSkein(this.#t, argv)
    const texts: string[] = []
    createInterface({ input: child.stdout! }).on('line', (line) => texts.push((JSON.parse(line) as Entry).text))
    return {
      texts,
      async stop() {
        const exited = once(child, 'exit')
        child.kill('SIGINT')
        const [code] = await exited
        return code
      },
    }
  }
}

interface Entry {
  readonly text: string
}
