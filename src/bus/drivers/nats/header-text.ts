/**
 * Header names and values as NATS carries them: printable ASCII, the rest percent-encoded as in the HTTP binding of
 * CloudEvents 1.0 (3.1.3.2), which its NATS binding follows.
 */
const PLAIN = /^[!-$&-~]([ -$&-~]*[!-$&-~])?$/
const ESCAPED_CHARACTER = /[^ -$&-~]|^ | $/gu

export function encodeHeaderValue(text: string): string {
  if (text === '' || PLAIN.test(text)) return text
  return text.replace(ESCAPED_CHARACTER, escapeCharacter)
}

export function encodeHeaderName(name: string): string {
  return /^[\w.-]+$/.test(name) ? name : name.replace(/[^\w.-]/gu, escapeCharacter)
}

function escapeCharacter(character: string): string {
  let text = ''
  for (const byte of Buffer.from(character)) text += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  return text
}

export function decodeHeaderText(text: string): string {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    // Not ours: whoever wrote it meant it as it stands.
    return text
  }
}
