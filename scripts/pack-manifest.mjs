// In a clone `exports` names the source, which Node runs as it is. Node strips no types under node_modules, so the
// published manifest names the build: `prepack` rewrites it, `postpack` puts it back.
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const path = join(dirname(dirname(fileURLToPath(import.meta.url))), 'package.json')
const toBuild = process.argv[2] !== '--restore'
const manifest = JSON.parse(readFileSync(path, 'utf8'))
const rewrite = toBuild ? built : source
manifest.exports = Object.fromEntries(Object.entries(manifest.exports).map(([name, target]) => [name, rewrite(target)]))
writeFileSync(path, `${JSON.stringify(manifest, null, 2)}\n`)

function built(target) {
  if (typeof target !== 'string') return target
  const stem = target.replace('./', './dist/').replace(/\.ts$/, '')
  return { types: `${stem}.d.ts`, default: `${stem}.js` }
}

function source(target) {
  return typeof target === 'string' ? target : target.default.replace('./dist/', './').replace(/\.js$/, '.ts')
}
