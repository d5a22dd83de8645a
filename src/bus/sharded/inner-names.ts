const GROWTH_PREFIX = 'skein.growth.'

/** The topic in which the growth of another is written down. */
export function growthTopic(topic: string): string {
  return `${GROWTH_PREFIX}${topic}`
}

/**
 * The token in front of what the broker has of one shard of a generation, with its dot; subjects lie below their topic, so
 * theirs too. Empty for an undivided first generation: any topic can begin to grow without its messages being moved.
 */
export function innerPrefix(generation: number, value: string | undefined): string {
  if (value !== undefined) return `g${generation}-${value}.`
  return generation === 1 ? '' : `g${generation}.`
}

const INNER = /^g[1-9][0-9]*(-[^.]+)?\./

/** Whether a topic of the broker is a part of one of these, or tells of its growth: no topic to be shown by itself. */
export function isPartOf(name: string, sharded: ReadonlySet<string>): boolean {
  return INNER.test(name) && sharded.has(name.slice(name.indexOf('.') + 1))
}

/** The topic that a growth topic tells of; undefined for any other. */
export function grownTopic(name: string): string | undefined {
  return name.startsWith(GROWTH_PREFIX) ? name.slice(GROWTH_PREFIX.length) : undefined
}
