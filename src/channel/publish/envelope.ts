import type { Headers } from '../../bus/index.ts'
import type { AnyChannel } from '../topics-of.ts'

export const TYPE_HEADER = 'type'

/** Names the schema of a lean message. Others carry CloudEvents' `dataschema`. */
const SCHEMA_HEADER = 'skeinschema'

/**
 * The headers that all messages of a channel under one source share: one object, encoded once. CloudEvents 1.0 in
 * binary mode; its `id`, `time` and `subject` are the message's own id, timestamp and subject. Telemetry is lean: its
 * schema, and its type only where the topic is shared.
 */
export function envelopeOf(
  channel: AnyChannel,
  options: { readonly source: string; readonly isTopicShared: boolean },
): Headers {
  if (channel.intent === 'telemetry') {
    const lean = { [SCHEMA_HEADER]: channel.value.schemaId }
    return Object.freeze(options.isTopicShared ? { [TYPE_HEADER]: channel.type, ...lean } : lean)
  }
  return Object.freeze({
    specversion: '1.0',
    [TYPE_HEADER]: channel.type,
    source: options.source,
    datacontenttype: channel.value.contentType,
    dataschema: `urn:skein:schema:${channel.value.schemaId}`,
  })
}
