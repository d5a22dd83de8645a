import { createHash } from 'node:crypto'

const TOKEN_CHARACTERS_MAX = 160
const KEY_CHARACTERS_MAX = 120

/** One level for a whole name: letters, digits and `-` stay, a dot becomes `_`, anything else its code points. */
function tokenOf(name: string, charactersMax: number): string {
  const token = name.replace(/[^A-Za-z0-9-]/gu, (character) =>
    character === '.' ? '_' : `=${character.codePointAt(0)!.toString(16)}=`,
  )
  if (token.length <= charactersMax) return token
  const hash = createHash('sha256').update(name).digest('hex')
  return `${token.slice(0, charactersMax - hash.length - 2)}==${hash}`
}

/** Names in JetStream of what belongs to one topic. */
export class TopicNames {
  readonly #token: string

  constructor(topic: string) {
    this.#token = tokenOf(topic, TOKEN_CHARACTERS_MAX)
  }

  stream(partition: number): string {
    return `SKEIN-${this.#token}-${partition}`
  }

  /** What stands before a message's subject in the stream of its partition, so that topics within topics do not overlap. */
  prefix(partition: number): string {
    return `_skein.${this.#token}.${partition}.`
  }

  /** The subjects of all partitions. */
  get everything(): string {
    return `_skein.${this.#token}.>`
  }

  /** The stream in which the topic's groups keep their places. */
  get groups(): string {
    return `SKEINGROUPS-${this.#token}`
  }

  get groupsPrefix(): string {
    return `_skeingroups.${this.#token}.`
  }
}

/** The subject's stand-in on a compacted topic, where JetStream keeps the last message of each subject. */
export function keyToken(key: string): string {
  return tokenOf(key, KEY_CHARACTERS_MAX)
}

export function groupToken(group: string): string {
  return tokenOf(group, KEY_CHARACTERS_MAX)
}

/** Of every stream that is a topic's first partition. */
export const STREAM_PREFIX = 'SKEIN-'
/** Where the topic's settings stand in its streams' metadata. */
export const SETTINGS_KEY = 'skein.settings'
/** Stands in the metadata of the last partition's stream once the streams of all are made. */
export const WHOLE_KEY = 'skein.whole'
