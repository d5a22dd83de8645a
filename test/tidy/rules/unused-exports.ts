import type { Rule } from '../rule.ts'
import type { Source } from '../source.ts'
import { publicEntries, resolveImport, type Tree } from '../tree.ts'

/**
 * Law 6, second part. A use is an import by any other file; a re-export is a use only when the door's name is used in
 * turn, or the door is one of the package's entries. Types are the words of functions: on a door they may stand unused,
 * and in a file when the file itself speaks of them. Without an `exports` map in the manifest every door counts as an entry.
 */
export const unusedExports: Rule = {
  name: 'Every export is used by another file or is public',
  check(tree) {
    const used = collectUses(tree)
    const found: string[] = []
    for (const source of tree.sources.values()) {
      for (const made of source.exports) {
        if (used.has(`${source.path}#${made.name}`) || (made.isType && speaksOf(source, made.name))) continue
        found.push(
          `${source.path}:${made.line}: nobody uses the export ${made.name}: drop the word export, or the code`,
        )
      }
    }
    return found
  },
  guilty: [
    { files: { 'src/core/a.ts': 'export function lonely() {}\n' }, finds: /lonely/ },
    { files: { 'src/core/a.ts': 'export interface Alone {}\n' }, finds: /Alone/ },
    { files: { 'src/core/a.ts': 'const x = 1\nexport { x as y }\n' }, finds: /export y/ },
    {
      files: {
        'package.json': '{"exports":{".":"./src/bus/index.ts"}}',
        'src/core/a.ts': 'export const x = 1\n',
        'src/core/index.ts': "export { x } from './a.ts'\n",
      },
      finds: /src\/core\/a\.ts:1: .*export x/,
    },
  ],
  innocent: [
    {
      'src/core/a.ts': 'export interface AOptions {}\nexport const a = (options: AOptions) => options\n',
      'src/core/b.ts': "import { a } from './a.ts'\n",
    },
    {
      'src/core/a.ts': 'export const x = 1\nexport interface Y {}\n',
      'src/core/index.ts': "export { x } from './a.ts'\nexport type * from './a.ts'\n",
    },
    {
      'package.json': '{"exports":{".":"./src/bus/index.ts"}}',
      'src/core/a.ts': 'export const x = 1\nexport type T = 1\n',
      'src/core/index.ts': "export { x, type T } from './a.ts'\n",
      'src/bus/index.ts': "export { x as z } from '../core/index.ts'\n",
    },
  ],
}

function speaksOf(source: Source, name: string): boolean {
  return source.code.split(new RegExp(`\\b${name}\\b`)).length > 2
}

/** Walks from what is imported or public to where it is declared; the result has `path#name` of all that is used. */
function collectUses(tree: Tree): Set<string> {
  const walk = new Walk(tree)
  const entries = new Set(tree.manifest.exports === undefined ? doors(tree) : publicEntries(tree).values())
  for (const path of entries) walk.everything(path)
  for (const source of tree.sources.values()) {
    for (const item of source.imports) {
      const target = resolveImport(tree, source.path, item.specifier)
      if (target === undefined) continue
      if (item.kind === 'all') walk.everything(target)
      if (!item.reExport) for (const { imported } of item.names) walk.use(target, imported)
      if (item.reExport && item.kind === 'type-star') walk.types(target)
      if (item.reExport && doorPath.test(source.path))
        walk.types(target, new Set(item.names.map((name) => name.imported)))
    }
  }
  return walk.used
}

const doorPath = /^(src|testing)\/(.*\/)?index\.ts$/

function doors(tree: Tree): string[] {
  return [...tree.sources.keys()].filter((path) => doorPath.test(path))
}

class Walk {
  readonly used = new Set<string>()
  readonly #tree: Tree

  constructor(tree: Tree) {
    this.#tree = tree
  }

  use(path: string, name: string): void {
    const key = `${path}#${name}`
    if (this.used.has(key)) return
    this.used.add(key)
    for (const item of this.#tree.sources.get(path)?.imports ?? []) {
      const target = resolveImport(this.#tree, path, item.specifier)
      if (!item.reExport || target === undefined) continue
      if (item.kind === 'star' || item.kind === 'type-star') this.use(target, name)
      for (const { imported, local } of item.names) if (local === name) this.use(target, imported)
    }
  }

  everything(path: string): void {
    const source = this.#tree.sources.get(path)
    for (const made of source?.exports ?? []) this.use(path, made.name)
    for (const item of source?.imports ?? []) {
      if (!item.reExport) continue
      for (const { local } of item.names) this.use(path, local)
      const target = resolveImport(this.#tree, path, item.specifier)
      if (target !== undefined && (item.kind === 'star' || item.kind === 'type-star')) this.everything(target)
    }
  }

  types(path: string, only?: ReadonlySet<string>): void {
    for (const made of this.#tree.sources.get(path)?.exports ?? []) {
      if (made.isType && (only === undefined || only.has(made.name))) this.use(path, made.name)
    }
  }
}
