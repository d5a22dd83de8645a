/** A process of callers: told which keys a round is about, and when it is over; answers with the history of its calls. */
import { serveRequests } from '../../bench/remote/worker.ts'
import { type Operation, seededRandom } from '../../testing/index.ts'
import { CallClient } from './call-client.ts'
import { Session } from './session.ts'

export interface ClientSpec {
  /** Of this process alone. */
  readonly name: string
  readonly seed: number
  readonly sessions: number
  readonly members: ReadonlyArray<{ readonly id: number; readonly port: number }>
  /** What all processes subtract from the machine's monotonic clock, ns. */
  readonly startNs: string
}

export type ClientRequest =
  | { readonly open: ClientSpec }
  | { readonly begin: readonly string[] }
  | { readonly count: true }
  | { readonly end: true }

export interface Counts {
  readonly acked: number
  readonly reads: number
}

/** The calls of one process, round by round. */
class Callers {
  readonly #sessions: readonly Session[]
  #running: Promise<unknown> = Promise.resolve()
  #history: Operation[] = []
  #acked = 0
  #reads = 0

  constructor({ name, seed, sessions, members, startNs }: ClientSpec) {
    const start = BigInt(startNs)
    const clients = new Map(members.map(({ id, port }) => [id, new CallClient(port)]))
    const shared = {
      members: clients,
      random: seededRandom(seed),
      nowNs: () => Number(process.hrtime.bigint() - start),
      record: (operation: Operation) => this.#record(operation),
    }
    const callers = Array.from({ length: sessions }, (_, at) => new Session({ ...shared, name: `${name}-${at}` }))
    const readers = members.map(({ id }) => new Session({ ...shared, name: `${name}-r${id}`, readsFrom: id }))
    this.#sessions = [...callers, ...readers]
  }

  #record(operation: Operation): void {
    this.#history.push(operation)
    if (operation.status !== 'ok') return
    if (operation.op === 'read') this.#reads += 1
    else this.#acked += 1
  }

  get counts(): Counts {
    return { acked: this.#acked, reads: this.#reads }
  }

  begin(keys: readonly string[]): void {
    this.#running = Promise.all(this.#sessions.map((session) => session.run(keys)))
  }

  async end(): Promise<readonly Operation[]> {
    for (const session of this.#sessions) session.stop()
    await this.#running
    const history = this.#history
    this.#history = []
    return history
  }
}

let callers: Callers

serveRequests(async (request: ClientRequest): Promise<object> => {
  if ('open' in request) callers = new Callers(request.open)
  else if ('begin' in request) callers.begin(request.begin)
  else if ('count' in request) return callers.counts
  else return callers.end()
  return {}
})
