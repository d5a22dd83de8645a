import type { Rule } from '../rule.ts'
import { isTest, resolveImport, type Tree } from '../tree.ts'

/** Law 6, third part. Type imports count: what needs each other to be understood belongs together or apart. */
export const cycles: Rule = {
  name: 'No file imports itself by way of others',
  check(tree) {
    const found = new Map<string, string>()
    const done = new Set<string>()
    for (const path of tree.sources.keys()) visit(tree, path, [], { done, found })
    return [...found.values()]
  },
  guilty: [
    {
      files: { 'src/core/a.ts': "import { b } from './b.ts'\n", 'src/core/b.ts': "import type { A } from './a.ts'\n" },
      finds: /src\/core\/a\.ts → src\/core\/b\.ts → src\/core\/a\.ts/,
    },
    { files: { 'src/core/a.ts': "import { a } from './a.ts'\n" }, finds: /a\.ts → src\/core\/a\.ts/ },
  ],
  innocent: [
    {
      'src/core/a.ts': "import { c } from './c.ts'\n",
      'src/core/b.ts': "import { c } from './c.ts'\nimport './a.ts'\n",
      'src/core/c.ts': '',
    },
  ],
}

interface Search {
  readonly done: Set<string>
  /** By the cycle's members, so that one cycle is told once. */
  readonly found: Map<string, string>
}

function visit(tree: Tree, path: string, above: readonly string[], search: Search): void {
  const seenAt = above.indexOf(path)
  if (seenAt !== -1) {
    const ring = above.slice(seenAt)
    search.found.set([...ring].sort().join(), `${[...ring, path].join(' → ')}: a cycle`)
    return
  }
  const source = tree.sources.get(path)
  if (source === undefined || search.done.has(path) || isTest(path)) return
  for (const used of source.imports) {
    const target = resolveImport(tree, path, used.specifier)
    if (target !== undefined) visit(tree, target, [...above, path], search)
  }
  search.done.add(path)
}
