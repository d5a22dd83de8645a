import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePorts } from './free-ports.ts'
import { GuardedCommand } from './guarded-command.ts'
import { runTool } from './run-tool.ts'
import type { Service, ServiceKind, ServiceNode } from './service.ts'

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const ENGINE_ANSWERS_WITHIN_MS = 2_000
const READY_WITHIN_MS = 120_000
const ASK_AGAIN_MS = 200

let engine: Promise<boolean> | undefined

/** Whether a container engine runs here, asked once. A client without its engine says no at once. */
export function hasEngine(): Promise<boolean> {
  engine ??= runTool('docker', ['compose', 'ls', '--quiet'], { withinMs: ENGINE_ANSWERS_WITHIN_MS }).then(
    () => true,
    () => false,
  )
  return engine
}

export interface ComposeOptions {
  /** `guarded`: the container goes when this process dies. `left`: it stays. */
  readonly life: 'guarded' | 'left'
}

/** Starts one service of `compose.yaml` as a project of its own, on a port the system chose. */
export async function startInCompose(
  kind: ServiceKind,
  options: ComposeOptions,
): Promise<Service & { project: string }> {
  const { portVariable, url: urlOf } = kind.compose!
  const [port] = await freePorts(1)
  const url = urlOf(port!)
  const project = `skein-${kind.name}-${port}`
  const environment = { [portVariable]: String(port) }
  const compose = (...words: string[]) =>
    runTool('docker', ['compose', '--project-name', project, ...words], { directory: ROOT, environment })
  const guard = options.life === 'guarded' ? new GuardedCommand('docker', downWords(project), ROOT) : undefined
  const stop = async () => {
    await compose('down', '--volumes', '--timeout', '0')
    guard?.dismiss()
  }
  try {
    await compose('up', '--detach', kind.name)
    const node = new ComposeNode(url, { name: kind.name, compose, ready: () => untilReady(kind, url) })
    await untilReady(kind, url)
    const version = await kind.version(url)
    return { name: kind.name, version, origin: 'docker', url, urls: [url], nodes: [node], stop, project }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Ends a project that was left running. */
export async function stopCompose(project: string): Promise<void> {
  await runTool('docker', downWords(project), { directory: ROOT })
}

function downWords(project: string): string[] {
  return ['compose', '--project-name', project, 'down', '--volumes', '--timeout', '0']
}

async function untilReady(kind: ServiceKind, url: string): Promise<void> {
  const deadline = performance.now() + READY_WITHIN_MS
  for (;;) {
    try {
      await kind.version(url)
      return
    } catch (error) {
      if (performance.now() > deadline) throw new Error(`${url} was not ready in time`, { cause: error })
    }
    await delay(ASK_AGAIN_MS)
  }
}

interface ComposeNodeParts {
  readonly name: string
  readonly compose: (...words: string[]) => Promise<string>
  readonly ready: () => Promise<void>
}

class ComposeNode implements ServiceNode {
  readonly url: string
  readonly pid = undefined
  /** Inside the container. */
  readonly directory = ''
  readonly #parts: ComposeNodeParts

  constructor(url: string, parts: ComposeNodeParts) {
    this.url = url
    this.#parts = parts
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.#parts.compose('kill', '--signal', signal, this.#parts.name)
    await this.#parts.compose('stop', this.#parts.name)
  }

  async start(): Promise<void> {
    await this.#parts.compose('start', this.#parts.name)
    await this.#parts.ready()
  }

  async erase(): Promise<void> {
    await this.#parts.compose('rm', '--force', '--volumes', this.#parts.name)
    await this.#parts.compose('create', this.#parts.name)
  }
}
