import { type ConfigFile, connect, type Fabric } from '../../src/fabric/index.ts'
import type { ChildArguments } from './child.ts'

/** The child's side of `Child`: its arguments, what it is told, and a life that ends with its parent's. */
export interface Role {
  readonly arguments: ChildArguments
  connect(): Promise<Fabric>
  ready(): void
  /** Tells the parent something else. */
  say(word: string): void
  onWord(word: string, listener: () => void): void
  /** Resolves when the parent asks it to finish. */
  readonly finish: Promise<void>
}

export function takeRole(): Role {
  const listeners = new Map<string, Array<() => void>>()
  const onWord = (word: string, listener: () => void) => {
    listeners.set(word, [...(listeners.get(word) ?? []), listener])
  }
  process.on('message', (word) => {
    for (const listener of listeners.get(String(word)) ?? []) listener()
  })
  // Whoever signals every process at once means the parent, which decides in which order they finish.
  process.on('SIGINT', () => {})
  process.on('disconnect', () => process.exit(1))
  // The parent may have gone while this process was loading.
  if (!process.connected) process.exit(1)
  const given = JSON.parse(process.argv[2]!) as ChildArguments
  return {
    arguments: given,
    connect: () => connect(targetOf(given.url)),
    ready: () => process.send!('ready'),
    say: (word) => process.send!(word),
    onWord,
    finish: new Promise((resolve) => onWord('finish', resolve)),
  }
}

function targetOf(url: string): string | ConfigFile {
  return url.startsWith('config:') ? { config: url.slice('config:'.length) } : url
}

/** After its work a child leaves at once: the channel to its parent would keep it alive. */
export function leave(): never {
  process.exit(0)
}
