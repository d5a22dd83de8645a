import { COMPOSITION_ROOMS, type Room, roomOf } from '../rooms.ts'
import type { Rule } from '../rule.ts'
import { isTest, resolveImport, type Tree } from '../tree.ts'

/** Law 2. */
export const siblings: Rule = {
  name: 'A driver, gateway or codec never imports its sibling, and only fabric, node and cli name a concrete driver',
  check(tree) {
    const found: string[] = []
    for (const source of tree.sources.values()) {
      const room = roomOf(tree, source.path)
      if (room === undefined || isTest(source.path)) continue
      for (const { specifier, line } of source.imports) {
        const problem = judge(tree, room, resolveImport(tree, source.path, specifier))
        if (problem !== undefined) found.push(`${source.path}:${line}: ${problem}`)
      }
    }
    return found
  },
  guilty: [
    {
      files: {
        'src/bus/drivers/remote/index.ts': "import { x } from '../embedded/index.ts'\n",
        'src/bus/drivers/embedded/index.ts': '',
      },
      finds: /sibling/,
    },
    {
      files: {
        'src/gateway/http/index.ts': "import { x } from '../websocket/index.ts'\n",
        'src/gateway/websocket/index.ts': '',
      },
      finds: /sibling/,
    },
    {
      files: {
        'src/channel/a.ts': "import { x } from '../bus/drivers/embedded/index.ts'\n",
        'src/bus/drivers/embedded/index.ts': '',
      },
      finds: /names a concrete driver/,
    },
    {
      files: {
        'src/bus/index.ts': "export { x } from './drivers/embedded/index.ts'\n",
        'src/bus/drivers/embedded/index.ts': '',
      },
      finds: /names a concrete driver/,
    },
  ],
  innocent: [
    {
      'src/fabric/a.ts': "import { x } from '../bus/drivers/embedded/index.ts'\n",
      'src/bus/drivers/embedded/index.ts': "import { y } from '../../index.ts'\n",
      'src/bus/index.ts': '',
    },
  ],
}

function judge(tree: Tree, room: Room, target: string | undefined): string | undefined {
  const other = target === undefined ? undefined : roomOf(tree, target)
  if (other === undefined || !other.isPlug || other.path === room.path) return undefined
  if (room.isPlug && parent(room) === parent(other)) {
    return `imports its sibling ${other.path}: what both need belongs in the room above them, or in a lower one`
  }
  if (parent(other) === 'bus/drivers' && !COMPOSITION_ROOMS.includes(room.top)) {
    return `names a concrete driver (${other.path}): take a Bus, and let ${COMPOSITION_ROOMS.join(', ')} choose it`
  }
  return undefined
}

function parent(room: Room): string {
  return room.path.slice(0, room.path.lastIndexOf('/'))
}
