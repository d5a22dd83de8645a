import { SkeinError } from '../core/index.ts'

/** Throws `bad-argument` for what is no batch of commands, or an empty one, and `message-too-large`. */
export function checkCommands(commands: readonly Uint8Array[], commandBytesMax: number): void {
  if (!Array.isArray(commands) || commands.length === 0) {
    throw new SkeinError('bad-argument', 'Cannot append nothing: give an array of at least one command')
  }
  for (const command of commands) {
    // Anything else with a length would be stored as other bytes than its own.
    if (!(command instanceof Uint8Array)) {
      throw new SkeinError('bad-argument', `Cannot append a command that is a ${typeof command}: give a Uint8Array`)
    }
    const { length } = command
    if (length <= commandBytesMax) continue
    const message = `Cannot append a command of ${length} bytes: at most ${commandBytesMax}; keep large things elsewhere and append where they are`
    throw new SkeinError('message-too-large', message, { details: { bytes: length, bytesMax: commandBytesMax } })
  }
}
