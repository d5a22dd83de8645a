/** A broker that is killed and started again takes its time. */
export const KAFKA_CASE_MS = 180_000

const STORES_REPEATS =
  'Kafka stores a repeat; deduplication is emulated by the readers of each group, which "a group is given a repeated id once" tests'
const STORES_ALL =
  'Kafka stores whatever it is given: an ephemeral topic is refused with UnsupportedError when it is opened'

/** Cases that Kafka cannot be asked, each with the reason. */
export const KAFKA_SKIPS: Readonly<Record<string, string>> = {
  'a repeated id is not stored again, and the receipt names it': STORES_REPEATS,
  'an id repeated in one batch, or while its first writing is under way, is stored once': STORES_REPEATS,
  'ids are remembered over a drain and over a kill': STORES_REPEATS,
  'an id is taken again when its window is over': STORES_REPEATS,
  'an ephemeral topic gives to the readers that are there, and keeps nothing': STORES_ALL,
  "a slow reader of an ephemeral topic with overflow 'drop' loses the oldest, and counts them": STORES_ALL,
  "a slow reader of an ephemeral topic with overflow 'wait' slows the writer, and loses nothing": STORES_ALL,
}
