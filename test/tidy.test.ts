/**
 * The law of the house. Each rule reads the tree as text (no build, no type checker) and says where it is broken and
 * what to do instead. A rule that cannot fail is worthless, so each brings trees that it must find guilty.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import type { Rule } from './tidy/rule.ts'
import { cycles } from './tidy/rules/cycles.ts'
import { deadFiles } from './tidy/rules/dead-files.ts'
import { doors } from './tidy/rules/doors.ts'
import { levels } from './tidy/rules/levels.ts'
import { machine } from './tidy/rules/machine.ts'
import { names } from './tidy/rules/names.ts'
import { scripts } from './tidy/rules/scripts.ts'
import { siblings } from './tidy/rules/siblings.ts'
import { size } from './tidy/rules/size.ts'
import { unusedExports } from './tidy/rules/unused-exports.ts'
import { words } from './tidy/rules/words.ts'
import { readProject, readTree, treeOf } from './tidy/tree.ts'

const LAW: readonly Rule[] = [
  // 1. The levels of the house, and ports instead of upward imports.
  levels,
  // 2. Plugs do not know each other; only composition names them.
  siblings,
  // 3. A room has one door.
  doors,
  // 4. The machine is handed in, so that a simulator can hand in its own.
  machine,
  // 5. Small pieces with telling names.
  size,
  names,
  // 6. Nothing dead, nothing unused, no cycle.
  deadFiles,
  unusedExports,
  cycles,
  // And the tree itself is clean.
  scripts,
  words,
]

const project = readProject()

for (const rule of LAW) {
  test(rule.name, () => {
    const found = rule.check(project)
    assert.equal(found.length, 0, `\n  ${found.join('\n  ')}\n`)
  })
}

for (const rule of LAW) {
  test(`The rule can fail and can pass: ${rule.name}`, () => {
    for (const { files, finds } of rule.guilty) {
      const found = rule.check(treeOf(files))
      assert.ok(
        found.some((line) => finds.test(line)),
        `expected ${finds} for ${JSON.stringify(files)}, found ${JSON.stringify(found)}`,
      )
    }
    for (const files of rule.innocent) assert.deepEqual(rule.check(treeOf(files)), [])
  })
}

test('What somebody keeps beside the project is not judged; a new file of its own folders is, and all where git is not', (t) => {
  const root = mkdtempSync(join(tmpdir(), 'skein-tidy-'))
  t.after(() => rmSync(root, { recursive: true, force: true }))
  const write = (path: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), path === 'package.json' ? '{}' : '')
  }
  const seen = () => [...readTree(root).texts.keys()].sort()
  for (const path of ['package.json', 'src/core/index.ts', 'notes.md', 'mine/swarm.ts', 'swarm.ts']) write(path)
  assert.equal(seen().length, 5)
  const git = (...argv: string[]) => assert.equal(spawnSync('git', argv, { cwd: root }).status, 0, argv.join(' '))
  git('init', '--quiet')
  assert.equal(seen().length, 5, 'nothing is tracked yet')
  git('add', 'package.json', 'src')
  write('src/core/new.ts')
  assert.deepEqual(seen(), ['package.json', 'src/core/index.ts', 'src/core/new.ts'])
  git('add', 'mine')
  assert.ok(seen().includes('mine/swarm.ts'))
})

test('The rules see the whole project', () => {
  assert.ok(project.sources.has('src/core/index.ts') && project.sources.has('test/tidy.test.ts'))
  assert.ok([...project.sources.values()].some((source) => source.imports.length > 3))
})
