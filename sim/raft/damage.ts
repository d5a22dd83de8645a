import type { Random } from '../../src/core/index.ts'
import { readFrames } from './member/frames.ts'
import { SNAPSHOT_PREFIX } from './member/snapshot-file.ts'
import { VOTE_SLOTS } from './member/vote-slots.ts'
import type { SimNode } from './sim-node.ts'
import type { World } from './world.ts'

interface Damage {
  readonly node: SimNode
  /** The file that is being written. */
  readonly file: string
  readonly how: 'corrupt' | 'misdirect'
  readonly random: Random
}

/**
 * A write goes wrong and hurts what is stored already: a bit of it flips, or it lands in the wrong place. Only where the
 * atlas knows enough good copies. False when nothing may be hurt.
 */
export function damageByWrite(world: World, { node, file, how, random }: Damage): boolean {
  if (VOTE_SLOTS.includes(file)) return damageSpareSlot(node, file, random)
  if (file.startsWith(SNAPSHOT_PREFIX)) return false
  const { volume, id } = node
  const stored = volume.durable(file)
  if (stored === undefined) return false
  const frames = readFrames(stored)
  // The last group cannot be told from a torn write until another one proves it.
  const provenEnd = Math.min(frames.at(-1)?.provenEnd ?? 0, frames.at(-1)?.position ?? 0)
  if (provenEnd < 64 || world.hasDamage(id) || !world.atlas.mayDamage(id)) return false
  const position = Math.floor(random.float() * (provenEnd - 32))
  const bytes = how === 'corrupt' ? stored.slice(position, position + 1) : random.bytes(32)
  bytes[0] = stored[position]! ^ (1 << Math.floor(random.float() * 8))
  volume.damage(file, position, bytes)
  world.noteDamage(id)
  world.note(() => `the disk of node ${id} is damaged: ${file} at ${position}`)
  return true
}

/** One of the two slots: the other one is good, and mends it with the next vote. */
function damageSpareSlot({ volume }: SimNode, file: string, random: Random): boolean {
  // While one is being written the other is the only good one: the one being written may be hurt.
  const [first, second] = VOTE_SLOTS.map((name) => volume.durable(name))
  if (first === undefined || second === undefined || Buffer.compare(first, second) !== 0) return false
  const at = Math.floor(random.float() * first.length)
  volume.damage(file, at, Uint8Array.of(first[at]! ^ 1))
  return true
}
