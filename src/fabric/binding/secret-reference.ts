import { SkeinError } from '../../core/index.ts'
import { readTextFile } from '../../core/system/index.ts'

/** The text that a setting stands for: `env:NAME` and `file:PATH` are looked up, anything else is the text itself. */
export async function resolveSecret(setting: string): Promise<string> {
  if (setting.startsWith('file:')) return (await readTextFile(setting.slice('file:'.length))).trimEnd()
  if (!setting.startsWith('env:')) return setting
  const name = setting.slice('env:'.length)
  const value = process.env[name]
  if (value !== undefined && value !== '') return value
  throw new SkeinError('bad-config', `Cannot find a secret: the environment variable ${name} is not set`, {
    details: { variable: name },
  })
}
