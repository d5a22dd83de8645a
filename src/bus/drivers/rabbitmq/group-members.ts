import type { Channel, ConsumeMessage } from 'amqplib'
import type { Clock, Random, SkeinError } from '../../../core/index.ts'
import { amqpError } from './amqp-error.ts'
import type { Connection } from './connection.ts'
import type { Link } from './link.ts'

const PING_MS = 500
const TRY_AGAIN_MS = 250

/** A reader of the group as the others know it. */
export interface MemberView {
  readonly id: string
  readonly joinedAtMs: number
  /** Its subject filter, as text. */
  readonly filter: string
  /** Partitions that it has now. */
  readonly owned: readonly number[]
  /** The queue that hears for it; gone with its connection. */
  readonly queue: string
}

type News =
  | { readonly kind: 'here'; readonly member: MemberView; readonly asks: boolean }
  | { readonly kind: 'gone'; readonly id: string; readonly queue: string }
  | { readonly kind: 'ping' }

export interface GroupMembersParts {
  readonly link: Link
  readonly exchange: string
  readonly id: string
  readonly joinedAtMs: number
  readonly filter: string
  readonly clock: Clock
  readonly random: Random
  readonly owned: () => readonly number[]
  readonly onChange: () => void
  readonly onFailed: (error: SkeinError) => void
}

/**
 * Who reads a group now. Each member has a queue that dies with its connection, and tells the others over a fan-out exchange
 * that it is there and what it owns; each looks after the one before it, whose queue the broker says is gone. This only
 * decides who asks for which partition: who has it, the place decides.
 */
export class GroupMembers {
  readonly #parts: GroupMembersParts
  readonly #others = new Map<string, MemberView>()
  readonly #stop = new AbortController()
  readonly #finished: Promise<void>
  #channel: Channel | undefined
  #queue = ''

  constructor(parts: GroupMembersParts) {
    this.#parts = parts
    this.#finished = this.#run()
  }

  /** All, this one included, the longest-serving first. */
  get views(): MemberView[] {
    const all = [...this.#others.values(), this.#self()]
    return all.sort((one, other) => one.joinedAtMs - other.joinedAtMs || (one.id < other.id ? -1 : 1))
  }

  #self(): MemberView {
    const { id, joinedAtMs, filter, owned } = this.#parts
    return { id, joinedAtMs, filter, owned: owned(), queue: this.#queue }
  }

  async #run(): Promise<void> {
    const { link, clock, random, onFailed } = this.#parts
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        await this.#join(await link.connection(signal))
      } catch (error) {
        if (signal.aborted) return
        if (!(error as SkeinError).retryable) return onFailed(error as SkeinError)
      }
      if (!signal.aborted) await clock.sleep(random.float() * TRY_AGAIN_MS, { signal }).catch(() => {})
    }
  }

  async #join(connection: Connection): Promise<void> {
    const channel = await connection.channel()
    const { promise: ended, resolve: end } = Promise.withResolvers<void>()
    channel.on('close', end)
    this.#stop.signal.addEventListener('abort', () => end(), { once: true })
    const looking = new AbortController()
    const { exchange } = this.#parts
    try {
      await channel.assertExchange(exchange, 'fanout', { durable: true })
      const { queue } = await channel.assertQueue('', { exclusive: true, autoDelete: true })
      await channel.bindQueue(queue, exchange, '')
      await channel.consume(queue, (message) => this.#onNews(message), { noAck: true })
      channel.on('return', ({ fields }) => this.#onGone(fields.routingKey))
      this.#channel = channel
      this.#queue = queue
      this.#tell({ kind: 'here', member: this.#self(), asks: true })
      this.#lookAfter(looking.signal)
      await ended
      // The others learn by its absence that this member is gone: it must not outlive it with the connection.
      await channel.deleteQueue(queue)
    } catch (cause) {
      throw amqpError(cause, `Cannot join the readers of ${exchange}`)
    } finally {
      looking.abort()
      this.#channel = undefined
      await channel.close().catch(() => {})
    }
  }

  #tell(news: News): void {
    try {
      this.#channel?.publish(this.#parts.exchange, '', Buffer.from(JSON.stringify(news)))
    } catch {
      // The channel is gone; on the next one the news begin anew.
    }
  }

  #onNews(message: ConsumeMessage | null): void {
    if (message === null) return
    const news = JSON.parse(message.content.toString()) as News
    if (news.kind === 'ping') return
    if (news.kind === 'gone') {
      if (this.#others.get(news.id)?.queue === news.queue) this.#forget(news.id)
      return
    }
    const { member } = news
    if (member.id === this.#parts.id) return
    this.#others.set(member.id, member)
    if (news.asks) this.#tell({ kind: 'here', member: this.#self(), asks: false })
    this.#parts.onChange()
  }

  #forget(id: string): void {
    if (this.#others.delete(id)) this.#parts.onChange()
  }

  /** What this member owns has changed. */
  announce(): void {
    this.#tell({ kind: 'here', member: this.#self(), asks: false })
  }

  #lookAfter(signal: AbortSignal): void {
    if (signal.aborted) return
    const { clock, id } = this.#parts
    const all = this.views
    const before = all.at(all.findIndex((member) => member.id === id) - 1)
    if (before !== undefined && before.id !== id) this.#ping(before.queue)
    const timer = clock.setTimer(() => this.#lookAfter(signal), PING_MS)
    signal.addEventListener('abort', () => timer.cancel(), { once: true })
  }

  #ping(queue: string): void {
    try {
      this.#channel?.publish('', queue, Buffer.from(JSON.stringify({ kind: 'ping' } satisfies News)), {
        mandatory: true,
      })
    } catch {
      // The channel is gone.
    }
  }

  /** The broker sent a ping back: there is no such queue. */
  #onGone(queue: string): void {
    const gone = [...this.#others.values()].find((member) => member.queue === queue)
    if (gone === undefined) return
    this.#tell({ kind: 'gone', id: gone.id, queue })
    this.#forget(gone.id)
  }

  async leave(): Promise<void> {
    if (this.#stop.signal.aborted) return this.#finished
    this.#tell({ kind: 'gone', id: this.#parts.id, queue: this.#queue })
    this.#stop.abort()
    await this.#finished
  }
}
