/**
 * CloudEvents' binding for Kafka puts its attributes under the prefix `ce_`, and the content type under its own name.
 * Other names travel as they are.
 */
const ATTRIBUTES = ['id', 'source', 'specversion', 'type', 'dataschema']

const TO_WIRE: ReadonlyMap<string, string> = new Map([
  ...ATTRIBUTES.map((name) => [name, `ce_${name}`] as const),
  ['datacontenttype', 'content-type'],
])

const FROM_WIRE: ReadonlyMap<string, string> = new Map([...TO_WIRE].map(([name, wire]) => [wire, name]))

/** The subject of a message; a record without one has its topic as the subject. */
export const SUBJECT_NAME = 'ce_subject'

/** When it happened, where the record's own timestamp may be lost: compaction rewrites it as the time of the append. */
export const TIME_NAME = 'skeintime'

export function wireName(name: string): string {
  return TO_WIRE.get(name) ?? name
}

export function ownName(wire: string): string {
  return FROM_WIRE.get(wire) ?? wire
}
