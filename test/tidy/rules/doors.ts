import { contains, type Room, roomOf } from '../rooms.ts'
import type { Rule } from '../rule.ts'
import type { Import, Source } from '../source.ts'
import { resolveImport, type Tree } from '../tree.ts'

/** Law 3. A room inside another sees its parent's files, unless it is a plug; everybody else uses the door. */
export const doors: Rule = {
  name: 'A door (index.ts) only names what it exports, and nobody reaches past another room’s door',
  check(tree) {
    const found: string[] = []
    for (const source of tree.sources.values()) {
      found.push(...doorProblems(source))
      for (const used of source.imports) {
        const problem = judge(tree, source, used)
        if (problem !== undefined) found.push(`${source.path}:${used.line}: ${problem}`)
      }
    }
    return found
  },
  guilty: [
    { files: { 'src/log/index.ts': "export * from './log.ts'\n", 'src/log/log.ts': '' }, finds: /export \*/ },
    { files: { 'src/log/index.ts': 'export const x = 1\n' }, finds: /declares/ },
    {
      files: {
        'src/bus/a.ts': "import { x } from '../log/segment.ts'\n",
        'src/log/segment.ts': '',
        'src/log/index.ts': '',
      },
      finds: /past the door src\/log\/index\.ts/,
    },
    {
      files: {
        'sim/a.ts': "import { x } from '../src/log/segment.ts'\n",
        'src/log/segment.ts': '',
        'src/log/index.ts': '',
      },
      finds: /past the door/,
    },
    {
      files: {
        'src/bus/drivers/embedded/a.ts': "import { x } from '../../parking.ts'\n",
        'src/bus/drivers/embedded/index.ts': '',
        'src/bus/parking.ts': '',
        'src/bus/index.ts': '',
      },
      finds: /past the door src\/bus\/index\.ts/,
    },
  ],
  innocent: [
    {
      'src/log/index.ts': "export type * from './log.ts'\nexport { x } from './segment.ts'\n",
      'src/log/log.ts': '',
      'src/log/segment.ts': "import './log.ts'\n",
      'src/core/system/index.ts': "export { c } from './clock.ts'\n",
      'src/core/system/clock.ts': "import type { Clock } from '../clock.ts'\n",
      'src/core/clock.ts': '',
      'src/core/index.ts': '',
    },
  ],
}

function doorProblems(source: Source): string[] {
  if (!/^(src|testing)\/(.*\/)?index\.ts$/.test(source.path)) return []
  const stars = source.imports
    .filter((used) => used.reExport && used.kind === 'star')
    .map(
      (used) => `${source.path}:${used.line}: a door has no \`export *\`: name the exports (\`export type *\` is fine)`,
    )
  const declared = source.exports
    .filter((made) => new RegExp(`\\b(function|class|const|let|interface|type)\\s+${made.name}\\b`).test(source.code))
    .map((made) => `${source.path}:${made.line}: a door declares nothing: move ${made.name} to a file named after it`)
  return [...stars, ...declared]
}

function judge(tree: Tree, source: Source, used: Import): string | undefined {
  const target = resolveImport(tree, source.path, used.specifier)
  const other = target === undefined ? undefined : roomOf(tree, target)
  if (target === undefined || other === undefined) return undefined
  const room = roomOf(tree, source.path)
  if (room !== undefined && mayEnter(room, other)) return undefined
  const door = `src/${other.path}/index.ts`
  return target === door ? undefined : `reaches past the door ${door} to ${target}: export it there, or do without`
}

function mayEnter(room: Room, other: Room): boolean {
  return room.path === other.path || (contains(other, room) && !room.isPlug)
}
