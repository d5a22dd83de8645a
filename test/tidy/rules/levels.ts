import { contains, LEVELS, type Room, roomOf } from '../rooms.ts'
import type { Rule } from '../rule.ts'
import { isTest, resolveImport, type Tree } from '../tree.ts'

/** Law 1. Tests may look upwards and sideways: they build the world around what they test. */
export const levels: Rule = {
  name: 'A room imports only from itself and from lower levels; rooms of one level never import each other',
  check(tree) {
    const found: string[] = []
    for (const source of tree.sources.values()) {
      const room = roomOf(tree, source.path)
      if (room === undefined || isTest(source.path)) continue
      if (Number.isNaN(room.level)) found.push(`${source.path}: src/${room.top} has no level; the rooms are ${known()}`)
      for (const { specifier, line } of source.imports) {
        const problem = judge(tree, room, resolveImport(tree, source.path, specifier))
        if (problem !== undefined) found.push(`${source.path}:${line}: ${problem}`)
      }
    }
    return found
  },
  guilty: [
    {
      files: { 'src/log/a.ts': "import type { Bus } from '../bus/index.ts'\n", 'src/bus/index.ts': '' },
      finds: /src\/log\/a\.ts:1: .*L3 bus/,
    },
    {
      files: { 'src/log/a.ts': "export { x } from '../wire/index.ts'\n", 'src/wire/index.ts': '' },
      finds: /one level/,
    },
    {
      files: { 'src/channel/a.ts': "type A = import('../fabric/index.ts').A\n", 'src/fabric/index.ts': '' },
      finds: /fabric/,
    },
    {
      files: { 'src/core/a.ts': "const a = await import('../node/index.ts')\n", 'src/node/index.ts': '' },
      finds: /node/,
    },
    {
      files: { 'src/log/a.ts': "import { t } from '../../testing/index.ts'\n", 'testing/index.ts': '' },
      finds: /testing/,
    },
    { files: { 'src/stuff/a.ts': '' }, finds: /has no level/ },
  ],
  innocent: [
    {
      'src/bus/a.ts': "// import { x } from '../fabric/index.ts'\nimport { y } from '../log/index.ts'\n",
      'src/log/index.ts': '',
      'src/log/a.test.ts': "import { b } from '../bus/index.ts'\n",
      'src/bus/index.ts': '',
    },
  ],
}

function judge(tree: Tree, room: Room, target: string | undefined): string | undefined {
  if (target === undefined) return undefined
  const other = roomOf(tree, target)
  if (other === undefined) {
    // The manifest is the one place where the version stands.
    return /^src\/[^/]+$/.test(target) || target === 'package.json'
      ? undefined
      : `imports ${target}, which is outside src: production code stands alone`
  }
  if (other.top === room.top || contains(room, other) || other.level < room.level) return undefined
  const relation = other.level === room.level ? 'rooms of one level never import each other' : 'it is above'
  return `L${room.level} ${room.path} imports L${other.level} ${other.path}: ${relation}. Declare a port here and implement it there`
}

function known(): string {
  return Object.keys(LEVELS).join(', ')
}
