import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseSource, type Source } from './source.ts'

/** The project as the rules see it: its sources by path, its other text files, its manifest. */
export interface Tree {
  readonly sources: ReadonlyMap<string, Source>
  /** Every text file, sources included. */
  readonly texts: ReadonlyMap<string, string>
  readonly manifest: Manifest
}

interface Manifest {
  readonly exports?: unknown
  readonly scripts?: Readonly<Record<string, string>>
  readonly bin?: Readonly<Record<string, string>>
}

const SKIPPED = new Set(['node_modules', 'dist', '.git', '.skein', 'data'])
const TEXT = /\.(ts|mjs|js|json|md|yaml|yml|patch|sh|html|css|py|go)$|^\.ci\/|^\.gitignore$/

/** Builds a tree from paths and contents: how the rules are themselves tested. */
export function treeOf(files: Readonly<Record<string, string>>): Tree {
  const sources = new Map<string, Source>()
  for (const [path, text] of Object.entries(files)) {
    if (/\.(ts|mjs)$/.test(path)) sources.set(path, parseSource(path, text))
  }
  return { sources, texts: new Map(Object.entries(files)), manifest: JSON.parse(files['package.json'] ?? '{}') }
}

/** Reads the project this file belongs to. */
export function readProject(): Tree {
  return readTree(dirname(dirname(dirname(fileURLToPath(import.meta.url)))))
}

/**
 * The project in a folder: what git tracks at its top, and all that stands in the folders there, tracked or not yet.
 * What somebody keeps beside them in a clone is not the project's. Where git knows nothing, everything is.
 */
export function readTree(root: string): Tree {
  const own = trackedEntries(root)
  const files: Record<string, string> = {}
  for (const entry of readdirSync(root, { withFileTypes: true })) {
    if (SKIPPED.has(entry.name) || own?.has(entry.name) === false) continue
    if (entry.isDirectory()) readFolder(root, entry.name, files)
    else if (entry.isFile() && TEXT.test(entry.name)) files[entry.name] = readFileSync(join(root, entry.name), 'utf8')
  }
  return treeOf(files)
}

/** The names at the top of a folder that git tracks; undefined for a folder that is no top of a working tree. */
function trackedEntries(root: string): ReadonlySet<string> | undefined {
  if (!existsSync(join(root, '.git'))) return undefined
  const { status, stdout } = spawnSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 })
  if (status !== 0) return undefined
  const names = stdout.split('\0').map((path) => path.split('/', 1)[0]!)
  return names.length > 1 ? new Set(names) : undefined
}

function readFolder(root: string, folder: string, files: Record<string, string>): void {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = posix.join(folder, entry.name)
    if (entry.isDirectory() && !SKIPPED.has(entry.name)) readFolder(root, path, files)
    else if (entry.isFile() && TEXT.test(path)) files[path] = readFileSync(join(root, path), 'utf8')
  }
}

/** The path in the tree that an import means, or undefined for a library or one of Node's own modules. */
export function resolveImport(tree: Tree, from: string, specifier: string): string | undefined {
  if (specifier.startsWith('.')) return posix.normalize(posix.join(posix.dirname(from), specifier))
  if (specifier === 'skein' || specifier.startsWith('skein/')) {
    return publicEntries(tree).get(specifier === 'skein' ? '.' : `.${specifier.slice('skein'.length)}`)
  }
  return undefined
}

/** The package's `exports`, each with the source file that stands behind it. */
export function publicEntries(tree: Tree): ReadonlyMap<string, string> {
  const entries = new Map<string, string>()
  const declared = tree.manifest.exports
  if (typeof declared !== 'object' || declared === null) return entries
  for (const [name, target] of Object.entries(declared)) {
    const source = targets(target)
      .map((path) => path.replace(/^\.\//, ''))
      .map((path) => path.replace(/^dist\//, '').replace(/(\.d)?\.(js|ts)$/, '.ts'))
      .find((path) => tree.sources.has(path))
    if (source !== undefined) entries.set(name, source)
  }
  return entries
}

function targets(target: unknown): string[] {
  if (typeof target === 'string') return [target]
  return typeof target === 'object' && target !== null ? Object.values(target).flatMap((value) => targets(value)) : []
}

export function isTest(path: string): boolean {
  return path.endsWith('.test.ts') || path.startsWith('test/')
}
