import { posix } from 'node:path'
import type { Tree } from './tree.ts'

/** The levels of the house: a room imports from lower ones only. */
export const LEVELS: Readonly<Record<string, number>> = {
  core: 0,
  observe: 1,
  crdt: 1,
  raft: 1,
  schema: 2,
  security: 2,
  log: 2,
  wire: 2,
  objects: 2,
  bus: 3,
  channel: 4,
  consensus: 4,
  registry: 4,
  swarm: 5,
  decision: 5,
  shared: 5,
  transfer: 5,
  fabric: 6,
  gateway: 7,
  node: 8,
  cli: 9,
}

/** Where concrete drivers, and the machine's own clock, disk and random source, are chosen and handed in. */
export const COMPOSITION_ROOMS: readonly string[] = ['fabric', 'node', 'cli']

/** A folder with a door, `index.ts`. */
export interface Room {
  /** `bus/drivers/embedded`, below `src/`. */
  readonly path: string
  /** `bus`. */
  readonly top: string
  readonly level: number
  /** Drivers, gateways and codecs are plugged in from outside: strangers to their siblings and their parent. */
  readonly isPlug: boolean
}

/** The room a source belongs to: its nearest folder with a door, else the top folder. Undefined outside `src/`. */
export function roomOf(tree: Tree, path: string): Room | undefined {
  const parts = path.split('/')
  if (parts[0] !== 'src' || parts.length < 3) return undefined
  const top = parts[1]!
  let folder = posix.dirname(path)
  while (folder !== `src/${top}` && !tree.sources.has(`${folder}/index.ts`)) folder = posix.dirname(folder)
  const room = folder.slice('src/'.length)
  return { path: room, top, level: LEVELS[top] ?? Number.NaN, isPlug: isPlug(room) }
}

function isPlug(room: string): boolean {
  return /^bus\/drivers\/|^gateway\/|^schema\/codecs\//.test(room)
}

/** Whether one room lies inside the other. */
export function contains(outer: Room, inner: Room): boolean {
  return outer.path === inner.path || inner.path.startsWith(`${outer.path}/`)
}
