import type { Random } from '../../src/core/index.ts'
import type { Way } from './mesh.ts'

export type PartitionKind = 'halves' | 'ring' | 'bridge' | 'one-way'

export interface PartitionOptions {
  readonly random: Random
  /** Who leads, where that is known: partitions that leave it alone show little. */
  readonly leader: number | undefined
}

/** Which ways are blocked. */
export function blockedWays(kind: PartitionKind, ids: readonly number[], options: PartitionOptions): readonly Way[] {
  const ordered = shuffled(ids, options.random)
  const passes = PASSES[kind](ordered, options)
  const ways = ids.flatMap((from) => ids.filter((to) => to !== from).map((to) => ({ from, to })))
  return ways.filter(({ from, to }) => !passes(ordered.indexOf(from), ordered.indexOf(to)))
}

type Passes = (from: number, to: number) => boolean

/** By places in a random order. */
const PASSES: Readonly<Record<PartitionKind, (ordered: readonly number[], options: PartitionOptions) => Passes>> = {
  /** A minority and a majority. */
  halves(ordered) {
    const minority = Math.floor((ordered.length - 1) / 2)
    return (from, to) => from < minority === to < minority
  },
  /** Everybody speaks with the neighbours alone: each sees a majority, and each another. Of three, each hears one other. */
  ring(ordered) {
    const count = ordered.length
    if (count <= 3) return (from, to) => (from + 1) % count === to
    return (from, to) => (from + 1) % count === to || (to + 1) % count === from
  },
  /** Two halves that only one in the middle can reach. */
  bridge(ordered) {
    const middle = Math.floor(ordered.length / 2)
    return (from, to) => from === middle || to === middle || from < middle === to < middle
  },
  /** One is heard and hears nothing, or the other way round: the leader, mostly. */
  'one-way'(ordered, { random, leader }) {
    const victim = leader === undefined || random.float() < 0.2 ? 0 : ordered.indexOf(leader)
    const isDeaf = random.float() < 0.5
    return (from, to) => (isDeaf ? to : from) !== victim
  },
}

function shuffled(ids: readonly number[], random: Random): readonly number[] {
  const left = [...ids]
  return ids.map(() => left.splice(Math.floor(random.float() * left.length), 1)[0]!)
}
