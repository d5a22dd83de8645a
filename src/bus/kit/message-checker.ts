import { checkSubject, SkeinError } from '../../core/index.ts'
import type { Message } from '../message.ts'
import type { TopicSettings } from './topic-settings.ts'

const SUBJECTS_KNOWN_MAX = 16_384

/** Checks messages of one topic before they are encoded. Subjects seen before cost one lookup. */
export class MessageChecker {
  readonly #settings: Pick<TopicSettings, 'name' | 'messageBytesMax'>
  readonly #below: string
  readonly #known = new Set<string>()
  #last = ''

  constructor(settings: Pick<TopicSettings, 'name' | 'messageBytesMax'>) {
    this.#settings = settings
    this.#below = `${settings.name}.`
  }

  /** Throws `bad-subject`, `bad-argument` or `message-too-large`, with the index in the batch. */
  check(message: Message, index: number): void {
    if (message.subject !== this.#last) this.checkSubject(message.subject)
    const { value, ttlMs } = message
    if (value !== null) {
      if (typeof value !== 'string') this.checkSize(value.byteLength, index)
      else if (value.length * 3 > this.#settings.messageBytesMax) this.checkSize(Buffer.byteLength(value), index)
    }
    if (ttlMs !== undefined && !(Number.isInteger(ttlMs) && ttlMs > 0)) throw badTtl(ttlMs, index)
  }

  checkSubject(subject: string): void {
    this.#last = subject
    if (this.#known.has(subject)) return
    this.#last = ''
    checkSubject(subject)
    const { name } = this.#settings
    if (subject !== name && !subject.startsWith(this.#below)) {
      throw new SkeinError('bad-subject', `Cannot write "${subject}" to topic "${name}": it is not below the topic`, {
        details: { subject, topic: name },
      })
    }
    if (this.#known.size >= SUBJECTS_KNOWN_MAX) this.#known.clear()
    this.#known.add(subject)
    this.#last = subject
  }

  checkSize(bytes: number, index: number): void {
    const { name, messageBytesMax } = this.#settings
    if (bytes <= messageBytesMax) return
    throw new SkeinError(
      'message-too-large',
      `Cannot write message ${index} to "${name}": its value has ${bytes} bytes, at most ${messageBytesMax}; ` +
        'send it in chunks or as a reference',
      { details: { topic: name, index, bytes, messageBytesMax } },
    )
  }
}

function badTtl(ttlMs: number, index: number): SkeinError {
  return new SkeinError(
    'bad-argument',
    `Cannot write message ${index}: its ttlMs is ${ttlMs}, it must be a whole number above 0`,
    {
      details: { index, ttlMs },
    },
  )
}
