import type { Cluster, Lane as ConnectionLane } from '../cluster.ts'
import { type ProduceOptions, type ProducePart, type ProduceResult, produce } from '../protocol/produce-request.ts'

interface Waiting {
  readonly part: ProducePart
  readonly resolve: (result: ProduceResult) => void
  readonly reject: (error: unknown) => void
}

/** A request that was never sent: nothing of it can be stored. */
export class NotSentError extends Error {
  override readonly name = 'NotSentError'

  constructor(cause: unknown) {
    super('the request was not sent', { cause })
  }
}

/** Puts what the lanes of one broker have to send at one moment into one request. */
export class ProduceSender {
  readonly #cluster: Cluster
  readonly #node: number
  readonly #lane: ConnectionLane
  readonly #options: ProduceOptions
  #waiting: Waiting[] = []

  constructor(
    cluster: Cluster,
    to: { readonly node: number; readonly lane: ConnectionLane; readonly options: ProduceOptions },
  ) {
    this.#cluster = cluster
    this.#node = to.node
    this.#lane = to.lane
    this.#options = to.options
  }

  /** Rejects with `NotSentError`, or with the library's error where the outcome is not known. */
  submit(part: ProducePart): Promise<ProduceResult> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ part, resolve, reject })
      // Lanes that have been told of a response in this turn all add to one request.
      if (this.#waiting.length === 1) this.#cluster.clock.setImmediate(() => void this.#flush())
    })
  }

  async #flush(): Promise<void> {
    const waiting = this.#waiting
    this.#waiting = []
    let isSent = false
    try {
      const results = await this.#cluster.ask(
        this.#node,
        (connection) => {
          isSent = connection.isConnected()
          const parts = waiting.map((one) => one.part)
          return produce(this.#cluster.kafka, connection, { parts, options: this.#options })
        },
        this.#lane,
      )
      hand(waiting, results)
    } catch (error) {
      for (const one of waiting) one.reject(isSent ? error : new NotSentError(error))
    }
  }
}

function hand(waiting: readonly Waiting[], results: readonly ProduceResult[]): void {
  const byPlace = new Map(results.map((result) => [`${result.partition}/${result.topic}`, result]))
  for (const one of waiting) {
    const result = byPlace.get(`${one.part.partition}/${one.part.topic}`)
    if (result === undefined) one.reject(new Error('the broker left the partition out of its answer'))
    else one.resolve(result)
  }
}
