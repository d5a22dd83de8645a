// Makes `npx skein` work inside a clone: npm links the commands of dependencies, but not those of the project itself.
import { mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const binFolder = join(root, 'node_modules', '.bin')
// npm runs this as `prepare`: in a clone, never where Skein is installed as a dependency and linked by npm itself.
if (process.platform !== 'win32') {
  mkdirSync(binFolder, { recursive: true })
  const link = join(binFolder, 'skein')
  rmSync(link, { force: true })
  symlinkSync(relative(binFolder, join(root, 'bin', 'skein.mjs')), link)
}
