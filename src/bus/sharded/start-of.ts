import type { StartPosition } from '../bus.ts'
import type { Position } from '../message.ts'
import { endOf, type Generation, type Part } from './generations.ts'

/** Where a reader begins: in which generation, and where in that. */
export interface GenerationStart {
  readonly generation: number
  readonly from: StartPosition | undefined
}

/** The places that a start names; undefined for one that names none. */
export function placesOf(start: StartPosition | undefined): readonly Position[] | undefined {
  if (start === undefined || typeof start === 'string' || 'timestampMs' in start) return undefined
  return Array.isArray(start) ? start : [start as Position]
}

/** `latest` begins in the newest generation that may hold messages; places begin in the first one where something is left. */
export function startOf(start: StartPosition | undefined, begun: readonly Generation[]): GenerationStart {
  const first = begun[0]!
  const newest = begun.at(-1)!
  if (start === 'latest') return { generation: newest.number, from: 'latest' }
  const places = placesOf(start)
  if (places === undefined) return { generation: first.number, from: start }
  const isBehind = ({ parts }: Generation) => places.every(({ partition }) => partition < parts[0]!.firstPartition)
  // Where everything named is read, what follows is read from its beginning.
  const generation = begun.find((one) => hasLeft(one, places)) ?? begun.find(isBehind) ?? newest
  const within = placesIn(generation.parts, places)
  return { generation: generation.number, from: within.length === 0 ? 'earliest' : within }
}

function hasLeft(generation: Generation, places: readonly Position[]): boolean {
  const within = placesIn(generation.parts, places)
  if (generation.ends === undefined) return within.length > 0
  return within.some(({ partition, sequence }) => sequence < endOf(generation, partition)!)
}

/** Those of the places that lie in parts that stand one behind the other. */
export function placesIn(parts: readonly Part[], places: readonly Position[]): Position[] {
  const first = parts[0]!.firstPartition
  const last = parts.at(-1)!
  return places.filter(({ partition }) => partition >= first && partition < last.firstPartition + last.partitions)
}
