import { SkeinError } from '../../../core/index.ts'
import type { Connection } from './connection.ts'
import type { LogTopic } from './log-topic.ts'
import { EncodedHeaders } from './message-codec.ts'
import { groupToken } from './names.ts'
import { apiError, isApiError, MESSAGE_NOT_FOUND, STREAM_NOT_FOUND } from './nats-error.ts'
import type { PubAck } from './publishing.ts'
import { groupsConfig } from './stream-config.ts'

/** A record as it stands. `sequence`: what the next write must name to be the next. */
export interface Stored<T> {
  readonly sequence: number
  readonly value: T | undefined
}

const STREAM_NAME_IN_USE = 10_058

/** The records of a topic's groups: each the last message of a subject, written only by whoever saw the one before. */
export class GroupStore {
  readonly topic: LogTopic
  readonly #connection: Connection

  constructor(connection: Connection, topic: LogTopic) {
    this.#connection = connection
    this.topic = topic
  }

  async ensure(): Promise<void> {
    const config = groupsConfig(this.topic.names, this.topic.replicas)
    try {
      await this.#connection.api(`STREAM.CREATE.${config.name}`, config)
    } catch (error) {
      // Somebody changed its replicas: it is as good.
      if (!isApiError(error, STREAM_NAME_IN_USE)) throw error
    }
  }

  #subject(group: string, record: string): string {
    return `${this.topic.names.groupsPrefix}${groupToken(group)}.${record}`
  }

  async read<T>(group: string, record: string): Promise<Stored<T>> {
    const { groups } = this.topic.names
    try {
      const request = { last_by_subj: this.#subject(group, record) }
      const { message } = await this.#connection.api<{ message: { seq: number; data?: string } }>(
        `STREAM.MSG.GET.${groups}`,
        request,
      )
      const text = Buffer.from(message.data ?? '', 'base64').toString()
      return { sequence: message.seq, value: text === '' ? undefined : (JSON.parse(text) as T) }
    } catch (error) {
      if (isApiError(error, MESSAGE_NOT_FOUND, STREAM_NOT_FOUND)) return { sequence: 0, value: undefined }
      throw error
    }
  }

  /** Resolves to the record's new sequence. Rejects with a conflict when somebody wrote in between. */
  async write(
    at: { readonly group: string; readonly record: string; readonly after: number },
    value: unknown,
  ): Promise<number> {
    const headers = new EncodedHeaders(`NATS/1.0\r\nNats-Expected-Last-Subject-Sequence: ${at.after}\r\n\r\n`)
    const subject = this.#subject(at.group, at.record)
    const answer = await this.#connection.request(subject, JSON.stringify(value), { headers }).catch(noLeader)
    const ack = answer.json<PubAck>()
    if (ack.error !== undefined) throw apiError('store the place of a group', ack.error)
    return ack.seq!
  }

  /** Names of the groups that have a record. */
  async groups(): Promise<string[]> {
    const prefix = this.topic.names.groupsPrefix
    const found = await this.#subjects(`${prefix}*.members`)
    const names = await Promise.all(
      found.map(async (subject) => {
        const token = subject.slice(prefix.length, -'.members'.length)
        const { value } = await this.#readSubject<{ name?: string }>(`${prefix}${token}.members`)
        return value?.name
      }),
    )
    return names.filter((name) => name !== undefined).sort()
  }

  async #readSubject<T>(subject: string): Promise<Stored<T>> {
    const [token, record] = subject.slice(this.topic.names.groupsPrefix.length).split('.') as [string, string]
    const { groups, groupsPrefix } = this.topic.names
    const request = { last_by_subj: `${groupsPrefix}${token}.${record}` }
    const { message } = await this.#connection.api<{ message: { seq: number; data?: string } }>(
      `STREAM.MSG.GET.${groups}`,
      request,
    )
    const text = Buffer.from(message.data ?? '', 'base64').toString()
    return { sequence: message.seq, value: text === '' ? undefined : (JSON.parse(text) as T) }
  }

  async #subjects(filter: string): Promise<string[]> {
    try {
      const { state } = await this.#connection.api<{ state: { subjects?: Record<string, number> } }>(
        `STREAM.INFO.${this.topic.names.groups}`,
        { subjects_filter: filter },
      )
      return Object.keys(state.subjects ?? {})
    } catch (error) {
      if (isApiError(error, STREAM_NOT_FOUND)) return []
      throw error
    }
  }

  /** Everything the group has stored. */
  async forget(group: string): Promise<void> {
    const filter = `${this.topic.names.groupsPrefix}${groupToken(group)}.>`
    await this.#connection.api(`STREAM.PURGE.${this.topic.names.groups}`, { filter })
  }
}

function noLeader(error: unknown): never {
  if (!(error instanceof SkeinError) || error.code !== 'no-responder') throw error
  throw new SkeinError('connection-lost', 'Cannot store the place of a group: no server leads its stream now', {
    cause: error,
    retryable: true,
  })
}
