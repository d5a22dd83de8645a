import { SkeinError } from '../../src/core/index.ts'
import { execute } from './commands.ts'
import { TranscriptWorld } from './transcript-world.ts'

/**
 * Plays a transcript and returns it with the outcomes it has: each command stands behind `> `, what came out of it below.
 * Everything else of the text (empty lines and what begins with `#`) stays.
 */
export function playTranscript(text: string): string {
  const world = new TranscriptWorld()
  const played: string[] = []
  for (const line of text.split('\n')) {
    if (line.startsWith('> ')) {
      played.push(line)
      try {
        execute(world, line.slice(2))
      } catch (error) {
        played.push(...world.take(), showError(error))
      }
      played.push(...world.take())
    } else if (line.trim() === '' || line.startsWith('#')) played.push(line)
  }
  return played.join('\n')
}

/** A refusal, or a broken promise, is an outcome; anything else is a mistake of the transcript. */
function showError(error: unknown): string {
  if (error instanceof SkeinError) return `! ${error.code}: ${error.message}`
  if (error instanceof Error && error.message.startsWith('Assertion failed')) return `! ${error.message}`
  throw error
}
