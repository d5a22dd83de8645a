import type { Rule } from '../rule.ts'
import { lineAt } from '../source.ts'
import type { Tree } from '../tree.ts'

/** Words that must not stand in any file, and why. Built so that this file does not contain them itself. */
const BANNED: ReadonlyArray<readonly [RegExp, string]> = [
  [/(?<![\w.:/-])\/(?:home|root|Users|work|workspace|mnt)\/[\w.-]+/g, 'a path of one machine'],
  [/\b(?:TODO|FIXME|XXX|HACK)\b/g, 'unfinished work belongs in the tracker'],
  [/@ts-(?:ignore|nocheck)\b/g, 'fix the type, or use @ts-expect-error in a type test'],
]
const BANNED_IN_CODE: ReadonlyArray<readonly [RegExp, string]> = [
  [/\bdebugger\b/g, 'a leftover of debugging'],
  [/\b(?:test|it|describe|suite)\.only\b/g, 'the other tests would be silently left out'],
]

/** Hygiene: what no reviewer should have to look for. */
export const words: Rule = {
  name: 'No path of one machine, no leftover, no unfinished work stands in the tree',
  check(tree) {
    const found: string[] = []
    for (const [path, text] of tree.texts) {
      if (path !== OWN_PATH) found.push(...search(path, text, BANNED))
    }
    for (const source of tree.sources.values()) found.push(...search(source.path, source.code, BANNED_IN_CODE))
    return [...found, ...lockProblems(tree)]
  },
  guilty: [
    { files: { 'README.md': `see ${['', 'home', 'me', 'skein'].join('/')}\n` }, finds: /README\.md:1: .*one machine/ },
    { files: { 'src/core/a.ts': `// ${'TO'}${'DO'}: later\n` }, finds: /tracker/ },
    { files: { 'src/core/a.test.ts': 'test.only(1)\n' }, finds: /left out/ },
    {
      files: { 'package-lock.json': '{"packages":{"node_modules/a":{"resolved":"https://mirror.example/a.tgz"}}}' },
      finds: /mirror\.example/,
    },
  ],
  innocent: [
    {
      'README.md': 'GET /v1/topics, ./work/x, https://example.org/home/a\n',
      'package-lock.json': '{"packages":{"":{},"node_modules/a":{"resolved":"https://registry.npmjs.org/a.tgz"}}}',
    },
  ],
}

const OWN_PATH = 'test/tidy/rules/words.ts'

function search(path: string, text: string, banned: ReadonlyArray<readonly [RegExp, string]>): string[] {
  return banned.flatMap(([word, why]) =>
    [...text.matchAll(word)].map((match) => `${path}:${lineAt(text, match.index)}: "${match[0]}": ${why}`),
  )
}

function lockProblems(tree: Tree): string[] {
  const lock: { packages?: Record<string, { resolved?: string }> } = JSON.parse(
    tree.texts.get('package-lock.json') ?? '{}',
  )
  return Object.entries(lock.packages ?? {})
    .filter(([, entry]) => entry.resolved !== undefined && !entry.resolved.startsWith('https://registry.npmjs.org/'))
    .map(
      ([name, entry]) =>
        `package-lock.json: ${name} comes from ${entry.resolved}: only the public registry is known to all`,
    )
}
