import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { playTranscript } from './play-transcript.ts'

const folder = fileURLToPath(new URL('.', import.meta.url))

for (const name of readdirSync(folder)
  .filter((file) => file.endsWith('.txt'))
  .sort()) {
  const text = readFileSync(`${folder}${name}`, 'utf8')
  test(`${name}: ${titleOf(text)}`, () => {
    const played = playTranscript(text)
    // The outcomes of today; to be read before they are kept.
    if (process.env.SKEIN_REWRITE_TRANSCRIPTS === '1') writeFileSync(`${folder}${name}`, played)
    else assert.equal(played, text)
  })
}

function titleOf(text: string): string {
  const [first = ''] = text.split('\n', 1)
  assert.match(first, /^# ./, 'a transcript begins with a sentence that says what it shows')
  return first.slice(2)
}
