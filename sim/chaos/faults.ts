import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from '../../src/core/index.ts'
import { type ChaosGroup, ELECTION_TIMEOUT_MS } from './chaos-group.ts'
import { blockedWays, type PartitionKind } from './partitions.ts'

export type FaultKind = PartitionKind | 'kill' | 'kill-all' | 'pause' | 'disk-full' | 'clock'

/** From its beginning to its end; when it resolves everything is as it was before. */
type Fault = (group: ChaosGroup, random: Random) => Promise<void>

/** Long enough for others to be elected meanwhile, several times over. */
const LENGTH_MS = { least: 2 * ELECTION_TIMEOUT_MS, most: 5 * ELECTION_TIMEOUT_MS }
/** A leader that stands still for this long has lost three leases. */
const PAUSE_MS = { least: 3.2 * ELECTION_TIMEOUT_MS, most: 6 * ELECTION_TIMEOUT_MS }
const SLOW_SYNC_MS = 250
const CLOCK_STEPS = 6
const CLOCK_OFFSETS_MS = [-3_600_000, -10_000, -1_000, 1_000, 10_000, 3_600_000]
const KILL_IN_PARTITION_SHARE = 0.3

export const FAULTS: Readonly<Record<FaultKind, Fault>> = {
  halves: partition('halves'),
  ring: partition('ring'),
  bridge: partition('bridge'),
  'one-way': partition('one-way'),
  async kill(group, random) {
    const victim = await group.victim(random)
    await group.kill([victim])
    await delay(random.float() * LENGTH_MS.most)
    await group.restart([victim])
  },
  /** At once, so that nobody is left who remembers what was not synced: much, since the disks became slow before. */
  async 'kill-all'(group, random) {
    await Promise.all(group.ids.map((id) => group.member(id).slowSyncs(SLOW_SYNC_MS)))
    await delay(random.float() * SLOW_SYNC_MS)
    await group.kill(group.ids)
    await delay(random.float() * 200)
    await group.restart(group.ids)
  },
  async pause(group, random) {
    const victim = group.member(await group.victim(random))
    victim.pause()
    await delay(between(PAUSE_MS, random))
    victim.resume()
  },
  async 'disk-full'(group, random) {
    const victim = await group.victim(random)
    await group.fillDisk(victim)
    await delay(between(LENGTH_MS, random))
    await group.relieveDisk(victim)
  },
  async clock(group, random) {
    for (let step = 0; step < CLOCK_STEPS; step += 1) {
      for (const id of group.ids) {
        await group.member(id).shiftClock(CLOCK_OFFSETS_MS[Math.floor(random.float() * CLOCK_OFFSETS_MS.length)]!)
      }
      await delay((random.float() * LENGTH_MS.most) / CLOCK_STEPS)
    }
    for (const id of group.ids) await group.member(id).shiftClock(0)
  },
}

export const FAULT_KINDS = Object.keys(FAULTS) as FaultKind[]

function partition(kind: PartitionKind): Fault {
  return async (group, random) => {
    const leader = await group.leader()
    const ways = blockedWays(kind, group.ids, { random, leader })
    group.mesh.block(ways, { abruptly: random.float() < 0.3 })
    await delay(between(LENGTH_MS, random))
    if (random.float() < KILL_IN_PARTITION_SHARE) await FAULTS.kill(group, random)
    group.mesh.heal()
  }
}

function between({ least, most }: { readonly least: number; readonly most: number }, random: Random): number {
  return least + random.float() * (most - least)
}
