import { SkeinError, UnsupportedError } from '../../../core/index.ts'
import { type Capabilities, satisfies, type TopicSpec } from '../../index.ts'
import { checkSameTopic, resolveTopic, type TopicSettings } from '../../kit/index.ts'
import type { Connection } from './connection.ts'
import { CoreTopic } from './core-topic.ts'
import { checkDurability, type LogTopic, newLogTopic } from './log-topic.ts'
import { SETTINGS_KEY, STREAM_PREFIX, TopicNames } from './names.ts'
import { isApiError, STREAM_NOT_FOUND } from './nats-error.ts'
import type { NatsBusOptions } from './options.ts'
import { checkSupported, checkUnchanged, type StreamInfo, settingsOf, streamConfig } from './stream-config.ts'

export type Topic = LogTopic | CoreTopic

/** The topics of the servers, as far as this bus has opened or looked at them. */
export class TopicStore {
  readonly #connection: Connection
  readonly #options: NatsBusOptions
  readonly #topics = new Map<string, Topic>()

  constructor(connection: Connection, options: NatsBusOptions) {
    this.#connection = connection
    this.#options = options
  }

  /** What this bus knows without asking. */
  known(name: string): Topic | undefined {
    return this.#topics.get(name)
  }

  /** Rejects with `not-found` when the servers have no such topic. */
  async find(name: string): Promise<Topic> {
    const known = this.#topics.get(name)
    if (known !== undefined) return known
    const info = this.#isCore ? undefined : await this.#infoOf(name, 0)
    if (info === undefined) {
      throw new SkeinError('not-found', `Cannot use topic "${name}": it does not exist; open it first`, {
        details: { topic: name },
      })
    }
    return this.#remember(settingsOf(info, name), info)
  }

  get #isCore(): boolean {
    return this.#options.mode === 'core'
  }

  async #infoOf(topic: string, partition: number): Promise<StreamInfo | undefined> {
    try {
      return await this.#connection.api<StreamInfo>(`STREAM.INFO.${new TopicNames(topic).stream(partition)}`)
    } catch (error) {
      if (isApiError(error, STREAM_NOT_FOUND)) return undefined
      throw error
    }
  }

  #remember(settings: TopicSettings, info: StreamInfo): LogTopic {
    const topic = newLogTopic(settings, {
      replicas: info.config.num_replicas,
      syncAlways: this.#options.syncAlways ?? false,
      features: this.#connection.features,
      takesBatches: info.config.allow_batched === true,
    })
    this.#topics.set(settings.name, topic)
    return topic
  }

  async open(spec: TopicSpec): Promise<Capabilities> {
    const settings = resolveTopic(spec)
    const known = this.#topics.get(spec.name)
    if (settings.storage === 'ephemeral' || known?.kind === 'core') return this.#openCore(spec, settings)
    if (this.#isCore) {
      const reason = `topic "${spec.name}" is to be stored, and core NATS keeps nothing; open it with storage "ephemeral", or use JetStream`
      throw new UnsupportedError('storage', reason)
    }
    const info = await this.#infoOf(spec.name, 0)
    if (info === undefined) return (await this.#create(spec, settings)).capabilities
    const existing = settingsOf(info, spec.name)
    checkSameTopic(existing, spec)
    checkUnchanged(info, this.#configOf(existing, { partition: 0, replicas: info.config.num_replicas }))
    await this.#checkOthers(existing)
    const topic = this.#remember(existing, info)
    if (spec.durability !== undefined) checkDurability(topic, spec.durability)
    return topic.capabilities
  }

  /** The first stream comes last and tells that all were made: one that is not there now was taken away, with its keys. */
  async #checkOthers(settings: TopicSettings): Promise<void> {
    const { name, partitions } = settings
    const others = Array.from({ length: partitions - 1 }, (_, index) => index + 1)
    const infos = await Promise.all(others.map((partition) => this.#infoOf(name, partition)))
    for (const [index, info] of infos.entries()) {
      const partition = others[index]!
      if (info === undefined) throw shrunk(settings, partition)
      checkUnchanged(info, this.#configOf(settings, { partition, replicas: info.config.num_replicas }))
    }
  }

  #openCore(spec: TopicSpec, settings: TopicSettings): Capabilities {
    if (!satisfies('none', settings.durability)) {
      const reason = 'core NATS stores nothing'
      throw new UnsupportedError(`durability "${settings.durability}" on ephemeral topic "${spec.name}"`, reason)
    }
    const known = this.#topics.get(spec.name)
    if (known !== undefined) {
      checkSameTopic(known.settings, spec)
      return known.capabilities
    }
    const topic = new CoreTopic(settings)
    this.#topics.set(spec.name, topic)
    return topic.capabilities
  }

  #replicasFor(settings: TopicSettings): number {
    return settings.replicationFactor ?? this.#options.replicationFactor ?? 1
  }

  #configOf(settings: TopicSettings, of: { readonly partition: number; readonly replicas: number }) {
    return streamConfig(settings, { ...of, features: this.#connection.features })
  }

  /** The first partition comes last: a topic whose first stream is there is whole. */
  async #create(spec: TopicSpec, settings: TopicSettings): Promise<LogTopic> {
    const replicas = this.#replicasFor(settings)
    checkSupported(settings, replicas, this.#connection.features)
    const { features } = this.#connection
    const syncAlways = this.#options.syncAlways ?? false
    const draft = newLogTopic(settings, { replicas, syncAlways, features, takesBatches: features.fastIngest })
    checkDurability(draft, settings.durability)
    this.#checkSize(settings)
    let info: StreamInfo | undefined
    for (let partition = settings.partitions - 1; partition >= 0; partition -= 1) {
      const config = this.#configOf(settings, { partition, replicas })
      info = await this.#connection.api<StreamInfo>(`STREAM.CREATE.${config.name}`, config)
    }
    checkSameTopic(settings, spec)
    return this.#remember(settings, info!)
  }

  /** What the servers would refuse message by message is refused once. */
  #checkSize({ name, messageBytesMax }: TopicSettings): void {
    const { payloadBytesMax } = this.#connection
    if (messageBytesMax <= payloadBytesMax) return
    throw new UnsupportedError(
      `messages of ${messageBytesMax} bytes on topic "${name}"`,
      `the server takes at most ${payloadBytesMax} (max_payload); raise that, or ask for less`,
    )
  }

  async list(): Promise<string[]> {
    const names = [...this.#topics.values()].filter(({ kind }) => kind === 'core').map(({ settings }) => settings.name)
    if (this.#isCore) return names.sort()
    for (let offset = 0; ; ) {
      const page = await this.#connection.api<{ total: number; streams?: StreamInfo[] | null }>('STREAM.LIST', {
        offset,
        subject: '_skein.>',
      })
      const streams = page.streams ?? []
      for (const { config } of streams) {
        if (config.name.startsWith(STREAM_PREFIX) && config.name.endsWith('-0')) names.push(nameIn(config.metadata))
      }
      offset += streams.length
      if (streams.length === 0 || offset >= page.total) return names.filter((name) => name !== '').sort()
    }
  }

  async delete(name: string): Promise<void> {
    const topic = await this.find(name)
    this.#topics.delete(name)
    if (topic.kind === 'core') return
    await this.#deleteStream(topic.names.groups)
    for (let partition = topic.settings.partitions - 1; partition >= 0; partition -= 1) {
      await this.#deleteStream(topic.names.stream(partition))
    }
  }

  async #deleteStream(stream: string): Promise<void> {
    try {
      await this.#connection.api(`STREAM.DELETE.${stream}`)
    } catch (error) {
      if (!isApiError(error, STREAM_NOT_FOUND)) throw error
    }
  }
}

function nameIn(metadata: Readonly<Record<string, string>> | undefined): string {
  const text = metadata?.[SETTINGS_KEY]
  return text === undefined ? '' : (JSON.parse(text) as TopicSettings).name
}

function shrunk({ name, partitions }: TopicSettings, partition: number): SkeinError {
  const stream = new TopicNames(name).stream(partition)
  return new SkeinError(
    'bad-argument',
    `Cannot open topic "${name}": it was made with ${partitions} partitions, and the stream ${stream} is gone behind Skein's back; ` +
      'restore it, or delete the topic and make it anew',
    { details: { topic: name, setting: 'partitions', stream } },
  )
}
