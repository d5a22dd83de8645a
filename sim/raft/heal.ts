import { isJoint, membersOf } from '../../src/raft/index.ts'
import type { Chaos } from './chaos.ts'
import { isQuorum } from './check/quorums.ts'
import type { Client } from './client.ts'
import type { SimNode } from './sim-node.ts'
import type { World } from './world.ts'

export interface Healing {
  /** Nodes that are well again; the others stay cut off or dead. */
  readonly healed: ReadonlySet<number>
}

/** Takes the faults back: all of them, or only for a random majority, the others staying broken in their own ways. */
export function heal(world: World, chaos: Chaos): Healing {
  chaos.end()
  const broken = world.scenario.heal === 'majority' ? chooseBroken(world) : new Set<number>()
  for (const node of world.nodes.values()) if (!broken.has(node.id)) world.calm(node)
  const random = world.stream('heal')
  for (const id of broken) {
    const node = world.nodes.get(id)!
    const chance = random.float()
    world.note(() => `node ${id} stays broken`)
    if (chance < 0.3) world.crash(node)
    else {
      world.calm(node)
      breakPaths(world, id, chance)
    }
  }
  return { healed: new Set([...world.nodes.keys()].filter((id) => !broken.has(id))) }
}

/**
 * Cut off both ways, or heard without hearing, or hearing without being heard. A leader that is heard without hearing
 * steps down only because it checks its quorum: where it does not, the group may follow it for ever.
 */
function breakPaths({ network, nodes, scenario }: World, id: number, chance: number): void {
  const isHeard = chance >= 0.5 && chance < 0.75 && scenario.raft.checkQuorum
  for (const other of nodes.keys()) {
    if (other === id) continue
    if (chance < 0.75) network.cut(other, id)
    if (!isHeard) network.cut(id, other)
  }
}

/** As many as every configuration that any node goes by, or may yet come to go by, can do without. */
function chooseBroken(world: World): Set<number> {
  const random = world.stream('broken')
  const configurations = [
    world.configuration(),
    ...[...world.nodes.values()].flatMap((node) => (node.member ? [node.member.status.configuration] : [])),
  ].filter(({ voters }) => voters.length > 0)
  const broken = new Set<number>()
  const ids = [...world.nodes.values()].filter(({ state }) => state === 'up').map(({ id }) => id)
  if (world.hasPendingChange()) return broken
  for (const id of ids) {
    if (random.float() < 0.4) continue
    const isWell = (member: number) => member !== id && !broken.has(member) && !world.atlas.isDamaged(member)
    if (configurations.every((configuration) => isQuorum(configuration, isWell))) broken.add(id)
  }
  return broken
}

interface Patient extends Healing {
  readonly clients: readonly Client[]
  /** Every member must have applied this entry: it was committed a while ago. */
  readonly floor: number
}

/** What is still missing before the group can be called well; empty when nothing is. */
export function ailments(world: World, { healed, clients, floor }: Patient): string[] {
  const configuration = world.configuration()
  const members = membersOf(configuration)
    .map((id) => world.nodes.get(id)!)
    .filter((node) => healed.has(node.id) && node.state === 'up')
  const found: string[] = []
  const leaders = members.filter((node) => node.member?.status.role === 'leader')
  if (leaders.length !== 1) found.push(`${leaders.length} leaders`)
  if (isJoint(configuration)) found.push('a joint configuration')
  const lost = membersOf(configuration).filter((id) => world.atlas.isDamaged(id))
  if (lost.length > 0) found.push(`members whose disks are lost: ${lost.join(' ')}`)
  const behind = members.filter(({ member }) => (member?.machine.applied ?? 0) < floor)
  if (behind.length > 0) found.push(`behind entry ${floor}: ${behind.map(stateOf).join(', ')}`)
  if (
    world.scenario.isUpgraded &&
    isUpgradeDue(world, members) &&
    members.some((node) => node.member?.machine.level !== 2)
  ) {
    found.push('the feature level was not raised')
  }
  const waiting = clients.filter(({ answered }) => answered < FRESH_CALLS).map(({ name }) => name)
  if (waiting.length > 0) found.push(`no fresh calls of ${waiting.join(' ')} were answered`)
  return found
}

const FRESH_CALLS = 3

function stateOf({ id, member }: SimNode): string {
  return member === undefined ? `node ${id} is down` : `node ${id} at ${member.machine.applied}`
}

/** Every member understands the newer level, and the leader has heard so. */
function isUpgradeDue(world: World, members: readonly SimNode[]): boolean {
  const all = membersOf(world.configuration())
  return members.length === all.length && members.every(({ version }) => version === 2)
}
