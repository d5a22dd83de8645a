import {
  type Bus,
  type DeadLetterOrigin,
  type Delivery,
  deadLetterOrigin,
  deadLetterTopic,
  EndMarks,
  type Headers,
} from '../../bus/index.ts'
import type { KeysOf } from '../../core/index.ts'

const LETTERS_MAX = 1_000

/** A message that failed too often, or could not be decoded. It stays in its topic of dead letters until retention. */
export interface DeadLetter {
  /** Where it came from, which group lost it, and why. */
  readonly origin: DeadLetterOrigin
  readonly key: string | undefined
  readonly headers: Headers
  /** As stored. */
  readonly value: Uint8Array | null
  text(): string
}

export interface DeadLettersOptions {
  /** Only what this group lost. */
  readonly group?: string
  /** The newest so many. Default 1,000. */
  readonly max?: number
}

export const DEAD_LETTERS_KEYS: KeysOf<DeadLettersOptions> = { group: true, max: true }

/** The dead letters of a topic, oldest first; those that were replayed are still among them. */
export async function readDeadLetters(
  bus: Bus,
  { topic, group, max = LETTERS_MAX }: DeadLettersOptions & { readonly topic: string },
): Promise<readonly DeadLetter[]> {
  const name = deadLetterTopic(topic)
  if (!(await bus.admin.listTopics()).includes(name)) return []
  const reader = bus.reader(name, { mode: 'broadcast', from: 'earliest' })
  try {
    const { partitions } = await bus.admin.describeTopic(name)
    const marks = await EndMarks.of(
      reader,
      partitions.map(({ start }) => start),
    )
    const letters: DeadLetter[] = []
    while (!marks.reached) {
      const batch = await reader.read({ waitMs: EndMarks.pollMs })
      if (batch === null) {
        await marks.nothingLeft()
        continue
      }
      for (const delivery of marks.within(batch)) {
        const letter = letterOf(delivery)
        if (letter !== undefined && (group === undefined || letter.origin.group === group)) letters.push(letter)
      }
      letters.splice(0, Math.max(0, letters.length - max))
    }
    return letters
  } finally {
    await reader.close()
  }
}

function letterOf(delivery: Delivery): DeadLetter | undefined {
  const origin = deadLetterOrigin(delivery.headers)
  if (origin === undefined) return undefined
  return { origin, key: delivery.key, headers: delivery.headers, value: delivery.value, text: () => delivery.text() }
}
