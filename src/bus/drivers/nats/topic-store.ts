import { SkeinError, UnsupportedError } from '../../../core/index.ts'
import { type Capabilities, satisfies, type TopicSpec } from '../../index.ts'
import { checkSameTopic, resolveTopic, type TopicSettings } from '../../kit/index.ts'
import type { Connection } from './connection.ts'
import { CoreTopic } from './core-topic.ts'
import { checkDurability, type LogTopic, newLogTopic } from './log-topic.ts'
import { SETTINGS_KEY, STREAM_PREFIX, TopicNames, WHOLE_KEY } from './names.ts'
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
    if (this.#isCore) throw notFound(name)
    const info = await this.#headOf(name)
    if (info === undefined) throw notFound(name)
    return this.#remember(settingsOf(info, name), info)
  }

  /** Of the first stream, which tells whether there is a topic. Rejects when it alone was taken away. */
  async #headOf(name: string): Promise<StreamInfo | undefined> {
    const info = await this.#infoOf(name, 0)
    if (info !== undefined) return info
    const beheaded = await this.#beheaded(name)
    if (beheaded === undefined) return undefined
    // Somebody else may have made it in between.
    const made = await this.#infoOf(name, 0)
    if (made !== undefined) return made
    throw shrunk(beheaded, 0)
  }

  /**
   * The settings of a topic that was whole and whose first stream is gone; undefined for one that there never was, or whose
   * making ended half-way, before anything was written.
   */
  async #beheaded(name: string): Promise<TopicSettings | undefined> {
    const names = new TopicNames(name)
    const { streams } = await this.#connection.api<{ streams?: StreamInfo[] | null }>('STREAM.LIST', {
      offset: 0,
      subject: names.everything,
    })
    const [one] = streams ?? []
    if (one === undefined) return undefined
    const settings = settingsOf(one, name)
    const last = await this.#infoOf(name, settings.partitions - 1)
    const isMarked = last?.config.metadata?.[WHOLE_KEY] !== undefined
    // The last one may be gone too, or be older than the mark.
    return isMarked || streams!.some(({ state }) => state.last_seq > 0) ? settings : undefined
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
    const info = await this.#headOf(spec.name)
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
    if (settings.partitions > 1) await this.#markWhole(settings, replicas)
    checkSameTopic(settings, spec)
    return this.#remember(settings, info!)
  }

  /** From now on a first stream that is missing was taken away. */
  async #markWhole(settings: TopicSettings, replicas: number): Promise<void> {
    const config = this.#configOf(settings, { partition: settings.partitions - 1, replicas })
    const metadata = { ...config.metadata, [WHOLE_KEY]: 'true' }
    await this.#connection.api(`STREAM.UPDATE.${config.name}`, { ...config, metadata })
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
    const known = this.#topics.get(name)
    // What is left of a topic can be deleted too.
    const settings = known?.settings ?? (this.#isCore ? undefined : await this.#beheaded(name))
    const { partitions } = settings ?? (await this.find(name)).settings
    this.#topics.delete(name)
    if (known?.kind === 'core') return
    const names = new TopicNames(name)
    await this.#deleteStream(names.groups)
    for (let partition = partitions - 1; partition >= 0; partition -= 1) {
      await this.#deleteStream(names.stream(partition))
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

function notFound(topic: string): SkeinError {
  return new SkeinError('not-found', `Cannot use topic "${topic}": it does not exist; open it first`, {
    details: { topic },
  })
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
