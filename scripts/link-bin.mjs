// Makes `npx skein` work inside a clone: npm links the commands of dependencies, but not those of the project itself.
import { existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const binFolder = join(root, 'node_modules', '.bin')
// Installed as a dependency there is no source tree, and npm has linked the command already.
if (existsSync(join(root, 'src')) && process.platform !== 'win32') {
  mkdirSync(binFolder, { recursive: true })
  const link = join(binFolder, 'skein')
  rmSync(link, { force: true })
  symlinkSync(relative(binFolder, join(root, 'bin', 'skein.mjs')), link)
}
