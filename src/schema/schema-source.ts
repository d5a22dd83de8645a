import type { Static, TSchema } from 'typebox'
import { SkeinError } from '../core/index.ts'
import type { Codec } from './codec.ts'
import { jsonSchema } from './codecs/json-schema.ts'

/** What a declaration takes as a schema: a codec, or a JSON Schema (by TypeBox or as a literal). */
// biome-ignore lint/suspicious/noExplicitAny: a codec of any type is a source; `unknown` would refuse them all.
export type SchemaSource = Codec<any> | TSchema

/** The type of the values that a schema describes. */
export type ValueOf<S extends SchemaSource> = S extends Codec<infer T> ? T : Static<S>

/** The codec itself, or the JSON codec of the schema. Throws `bad-argument` for what can be neither. */
export function codecOf<S extends SchemaSource>(source: S): Codec<ValueOf<S>> {
  if (typeof source !== 'object' || source === null) {
    const why = source === undefined ? 'its schema is missing' : 'its schema is no object'
    throw new SkeinError('bad-argument', `Cannot use a schema: ${why}`)
  }
  return (isCodec(source) ? source : jsonSchema(source as TSchema)) as Codec<ValueOf<S>>
}

function isCodec(source: SchemaSource): source is Codec<unknown> {
  return 'encode' in source && 'decode' in source && typeof source.encode === 'function'
}
