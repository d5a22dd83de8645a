import { SkeinError } from '../../../core/index.ts'

const ROUTING_KEY_BYTES_MAX = 255

/**
 * A subject filter as a binding of a topic exchange. `*` is one word in both; our `>` is one word or more, theirs `#` is none
 * or more.
 */
export function bindingOf(filter: string): string {
  const binding = filter === '>' ? '*.#' : filter.replace(/\.>$/, '.*.#')
  if (Buffer.byteLength(binding) <= ROUTING_KEY_BYTES_MAX) return binding
  throw new SkeinError(
    'bad-subject',
    `Cannot bind "${filter.slice(0, 60)}…" on RabbitMQ: a binding has at most ${ROUTING_KEY_BYTES_MAX} bytes`,
    { details: { bytesMax: ROUTING_KEY_BYTES_MAX } },
  )
}
