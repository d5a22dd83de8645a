import { SkeinError } from '../core/index.ts'
import { EXIT } from './exit-codes.ts'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * The first signal aborts, so that commands finish what they began; a second one ends the process at once. A launcher
 * that hands over to this process passes its signals on as messages; when it is killed, this process ends too, so that
 * nothing goes on behind anybody's back.
 */
export function watchInterrupts(controller: AbortController): void {
  const interrupt = (name: string, isRepeated: boolean) => {
    if (isRepeated) process.exit(EXIT.interrupted)
    controller.abort(new SkeinError('aborted', `Stopped by ${name}`))
  }
  // One Ctrl-C reaches the launcher and this process: only a repeat from the same side is a second one.
  let direct = 0
  let passedOn = 0
  for (const name of SIGNALS) {
    process.on(name, () => {
      direct += 1
      interrupt(name, direct > 1)
    })
  }
  if (!process.channel) return
  process.on('message', (name) => {
    passedOn += 1
    interrupt(String(name), passedOn > 1)
  })
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
  process.channel.unref()
}
