import type { Bus, Message, Writer } from '../../../src/bus/index.ts'
import { satisfies, WriteError } from '../../../src/bus/index.ts'
import type { KillLedger } from './ledger.ts'

const KEYS = 16
const BATCH_MESSAGES = 64
const BATCHES_IN_FLIGHT = 8
/** Every so many batches there is one of large values: what goes to one partition then takes several frames. */
const LARGE_EVERY = 8
const VALUE_BYTES = { usual: 64, large: 2_000 }

export const TOPIC = 'crash.kill'

interface Numbered {
  readonly key: string
  readonly number: number
}

/**
 * A client that keeps batches in flight until it is told to stop. What was not acknowledged it writes again, in order,
 * before anything new: so a number may be stored twice, but never without the one before it.
 */
export class KillClient {
  readonly #name: string
  readonly #ledger: KillLedger
  readonly #writer: Writer
  readonly #next = new Map<string, number>()
  #again: Numbered[] = []
  #inFlight = 0
  #stopping = false

  constructor(name: string, bus: Bus, ledger: KillLedger) {
    this.#name = name
    this.#ledger = ledger
    this.#writer = bus.writer(TOPIC, { durability: 'durable' })
  }

  /** Batches written and neither acknowledged nor refused. */
  get inFlight(): number {
    return this.#inFlight
  }

  stop(): void {
    this.#stopping = true
  }

  /** Resolves when it was told to stop and everything it wrote is acknowledged. */
  async run(): Promise<void> {
    while (!this.#stopping || this.#again.length > 0) {
      const refused = await Promise.all(Array.from(this.#burst(), (batch) => this.#write(batch)))
      this.#again = refused.flat()
    }
    await this.#writer.close()
  }

  /** The batches of one burst: first what must be repeated, else new numbers. Bursts never overlap, batches do. */
  *#burst(): Generator<Numbered[]> {
    const again = this.#again
    for (let at = 0; at < again.length; at += BATCH_MESSAGES) yield again.slice(at, at + BATCH_MESSAGES)
    if (again.length > 0) return
    for (let batch = 0; batch < BATCHES_IN_FLIGHT; batch += 1) {
      yield Array.from({ length: BATCH_MESSAGES }, (_, index) => this.#number(`${this.#name}-${index % KEYS}`))
    }
  }

  #number(key: string): Numbered {
    const number = (this.#next.get(key) ?? 0) + 1
    this.#next.set(key, number)
    return { key, number }
  }

  /** Resolves to what must be written again. */
  async #write(batch: Numbered[]): Promise<Numbered[]> {
    this.#inFlight += 1
    try {
      const { durability } = await this.#writer.write(batch.map(messageOf))
      if (!satisfies(durability, 'durable')) this.#ledger.noteWeak(batch.length)
      for (const { key, number } of batch) this.#ledger.acknowledge(key, number)
      return []
    } catch (error) {
      const accepted = new Set(error instanceof WriteError ? error.accepted : [])
      for (const index of accepted) this.#ledger.acknowledge(batch[index]!.key, batch[index]!.number)
      return batch.filter((_, index) => !accepted.has(index))
    } finally {
      this.#inFlight -= 1
    }
  }
}

function messageOf({ key, number }: Numbered): Message {
  return { subject: `${TOPIC}.${key}`, key, value: contentOf({ key, number }) }
}

/** No two are alike, so that the bytes of one cannot pass for those of another. */
function contentOf({ key, number }: Numbered): string {
  const name = `${key} ${number} `
  const batch = Math.floor((number - 1) / (BATCH_MESSAGES / KEYS))
  const bytes = batch % LARGE_EVERY === 0 ? VALUE_BYTES.large : VALUE_BYTES.usual
  return name.repeat(Math.ceil(bytes / name.length))
}

/** What a stored value says it is; not intact when it is not exactly what a client of this key would have written. */
export function readValue(key: string, text: string): Numbered & { readonly intact: boolean } {
  const number = Number(text.split(' ')[1])
  return { key, number, intact: text === contentOf({ key, number }) }
}
