import type { Clock } from '../../core/index.ts'
import type { Bus, ReaderOptions, TopicDescription } from '../bus.ts'
import { deadLetterTopic, relocatedLetter } from '../kit/index.ts'
import type { Delivery, Headers } from '../message.ts'
import type { Part } from './generations.ts'
import { PartsReader } from './parts-reader.ts'
import { outerPosition, ShardedDelivery } from './sharded-delivery.ts'
import { outerPartition, type ShardedTopic } from './sharded-topic.ts'

/** What the dead letters of a part stand in, beside the part. */
interface Letters {
  readonly of: Part
  /** As a part of the dead letters of the whole topic. */
  readonly part: Part
}

const FRONT = deadLetterTopic('')

/** Every part has dead letters of its own, in one partition. */
function lettersOf(topic: ShardedTopic): readonly Letters[] {
  const parts = topic.generations.all.flatMap((generation) => generation.parts)
  return parts.map((of, index) => {
    const part = {
      prefix: FRONT + of.prefix,
      outerPrefix: FRONT,
      value: of.value,
      partitions: 1,
      firstPartition: index,
    }
    return { of, part }
  })
}

async function existing(bus: Bus, topic: ShardedTopic): Promise<readonly Letters[]> {
  const names = await bus.admin.listTopics()
  return lettersOf(topic).filter(({ part }) => names.includes(topic.innerName(part)))
}

/** A letter as if its topic had never grown. */
class ShardedLetter extends ShardedDelivery {
  readonly #topic: ShardedTopic
  readonly #of: Part

  constructor(inner: Delivery, part: Part, from: { readonly topic: ShardedTopic; readonly of: Part }) {
    super(inner, deadLetterTopic(from.topic.name), part)
    this.#topic = from.topic
    this.#of = from.of
  }

  override get headers(): Headers {
    return relocatedLetter(super.headers, (origin) => ({
      ...origin,
      topic: this.#topic.name,
      subject: origin.subject.slice(this.#of.prefix.length),
      partition: outerPartition(this.#of, origin.partition),
    }))
  }
}

/** The dead letters of all parts there are now. */
export async function lettersReader(
  bus: Bus,
  topic: ShardedTopic,
  { options, clock }: { readonly options: ReaderOptions; readonly clock: Clock },
): Promise<PartsReader> {
  const found = await existing(bus, topic)
  await topic.openParts({ parts: found.map(({ part }) => part) })
  const members = found.map(({ part }) => ({ part, reader: bus.reader(topic.innerName(part), options) }))
  const ofPart = new Map(found.map(({ of, part }) => [part, of]))
  const outer = (delivery: Delivery, _: string, part: Part) =>
    new ShardedLetter(delivery, part, { topic, of: ofPart.get(part)! })
  return new PartsReader(deadLetterTopic(topic.name), members, { clock, outer })
}

/** Undefined while there never was one. */
export async function describeLetters(bus: Bus, topic: ShardedTopic): Promise<TopicDescription | undefined> {
  const found = await existing(bus, topic)
  const described = await Promise.all(found.map(({ part }) => bus.admin.describeTopic(topic.innerName(part))))
  const [first] = described
  if (first === undefined) return undefined
  const at = (index: number) => found[index]!.part
  return {
    spec: { ...first.spec, name: deadLetterTopic(topic.name) },
    capabilities: first.capabilities,
    partitions: described.flatMap(({ partitions }, index) =>
      partitions.map(({ start, end, bytes }) => ({
        partition: at(index).firstPartition,
        start: outerPosition(start, at(index)),
        end: outerPosition(end, at(index)),
        bytes,
      })),
    ),
    ...(described.every(({ replayed }) => replayed !== undefined) && {
      replayed: described.flatMap(({ replayed }, index) =>
        replayed!.map(({ group, before }) => ({ group, before: outerPosition(before, at(index)) })),
      ),
    }),
  }
}
