import type { Rule } from '../rule.ts'
import { isTest, publicEntries, resolveImport, type Tree } from '../tree.ts'

/**
 * Law 6, first part. A file is alive when something that is run, or a public entry, leads to it. Tests are run, but what
 * only tests lead to is dead in `src/`.
 */
export const deadFiles: Rule = {
  name: 'Every file is reached from a public entry, a command or a script',
  check(tree) {
    const alive = reachable(tree, roots(tree))
    const tested = reachable(tree, [...tree.sources.keys()].filter(isTest))
    return [...tree.sources.keys()]
      .filter((path) => !isTest(path) && !alive.has(path) && (path.startsWith('src/') || !tested.has(path)))
      .map((path) => `${path}: nothing that runs leads here: delete it, or use it`)
  },
  guilty: [
    {
      files: {
        'package.json': '{"exports":{".":"./src/core/index.ts"}}',
        'src/core/index.ts': '',
        'src/core/a.ts': '',
      },
      finds: /a\.ts/,
    },
    {
      files: { 'src/core/a.ts': '', 'src/core/a.test.ts': "import './a.ts'\n", 'src/core/index.ts': '' },
      finds: /src\/core\/a\.ts/,
    },
  ],
  innocent: [
    { 'package.json': '{"exports":{}}', 'sim/a.test.ts': "import './world.ts'\n", 'sim/world.ts': '' },
    {
      'package.json': '{"scripts":{"go":"node sim/go.ts"}}',
      'sim/go.ts': "await import('./a.ts')\n",
      'sim/a.ts': "import { x } from '../src/core/index.ts'\n",
      'src/core/index.ts': "export { x } from './x.ts'\n",
      'src/core/x.ts': '',
    },
  ],
}

/** Files that run by themselves: scripts and commands of the manifest, those that sources name as processes, examples. */
function roots(tree: Tree): string[] {
  const commands = [...Object.values(tree.manifest.scripts ?? {}), ...Object.values(tree.manifest.bin ?? {})].join(' ')
  const found = [...publicEntries(tree).values()]
  if (tree.manifest.exports === undefined) found.push(...[...tree.sources.keys()].filter(isDoor))
  for (const path of tree.sources.keys()) {
    if (path.startsWith('examples/') || path === 'src/cli/main.ts' || commands.includes(path)) found.push(path)
  }
  return found
}

function isDoor(path: string): boolean {
  return /^(src|testing)\/(.*\/)?index\.ts$/.test(path)
}

function reachable(tree: Tree, from: readonly string[]): Set<string> {
  const alive = new Set<string>()
  const waiting = [...from]
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const source = tree.sources.get(path)
    if (source === undefined || alive.has(path)) continue
    alive.add(path)
    for (const used of source.imports) waiting.push(resolveImport(tree, path, used.specifier) ?? '')
    // A file may be started as a process of its own or loaded by URL: then its name stands in a string.
    for (const literal of source.literals) {
      if (/^\.{0,2}[\w./-]+\.(ts|mjs)$/.test(literal.text)) waiting.push(...named(tree, path, literal.text))
    }
  }
  return alive
}

/** A name is relative to the file, to the project, or, in what is no production code, to a folder somewhere below. */
function named(tree: Tree, from: string, text: string): string[] {
  const relative = resolveImport(tree, from, text.startsWith('.') ? text : `./${text}`)
  const found = [text, relative ?? ''].filter((path) => tree.sources.has(path))
  const top = `${from.split('/', 1)[0]}/`
  if (found.length > 0 || top === 'src/') return found
  return [...tree.sources.keys()].filter((path) => path.startsWith(top) && path.endsWith(text.replace(/^\./, '')))
}
