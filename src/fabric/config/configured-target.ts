import { readTextFile } from '../../core/system/index.ts'
import type { Binding } from '../binding/binding.ts'
import { readConfig } from './config.ts'
import { bindingOf } from './config-schema.ts'

/** A configuration file, the same that a node is started with. */
export interface ConfigFile {
  /** Its path. */
  readonly config: string
}

export function isConfigFile(target: string | Binding | ConfigFile): target is ConfigFile {
  return typeof target === 'object' && target !== null && 'config' in target
}

/** What the file names: its brokers, or the node that listens as it says. Rejects with `not-found`, `bad-config`. */
export async function configuredTarget({ config: path }: ConfigFile): Promise<string | Binding> {
  const config = readConfig({ file: { name: path, text: await readTextFile(path) } })
  const { host, port } = config.listen
  return bindingOf(config) ?? `skein://${host.includes(':') ? `[${host}]` : host}:${port}`
}
