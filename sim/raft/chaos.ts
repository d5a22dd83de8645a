import type { Random } from '../../src/core/index.ts'
import { CALM_NETWORK, type Fault, type NetworkConditions } from '../../testing/index.ts'
import { damageByWrite } from './damage.ts'
import type { Operator } from './operator.ts'
import type { SimNode } from './sim-node.ts'
import type { FaultKind } from './tally.ts'
import type { World } from './world.ts'

type Of<Kind extends Fault['kind']> = Extract<Fault, { readonly kind: Kind }>

/** Does to the world what a plan says, each fault at its time, and takes it back after its duration. */
export class Chaos {
  readonly #world: World
  readonly #operator: Operator
  readonly #random: Random
  /** Conditions of the network that hold at the moment, latest last. */
  readonly #conditions: Array<Partial<NetworkConditions>> = []
  /** How likely a write is to damage what is stored, by node. */
  readonly #writeDamage = new Map<number, { corruptPercent: number; misdirectPercent: number }>()
  readonly #undo = new Set<() => void>()

  constructor(world: World, operator: Operator) {
    this.#world = world
    this.#operator = operator
    this.#random = world.stream('chaos')
    world.onWrite = (node, file) => this.#onWrite(node, file)
  }

  begin(): void {
    for (const fault of this.#world.scenario.faults) this.#world.events.after(fault.at, () => this.#inject(fault))
  }

  /** Takes back everything that is in force. */
  end(): void {
    for (const undo of [...this.#undo]) undo()
  }

  #inject(fault: Fault): void {
    this.strike(fault, this.#select(fault))
  }

  /** Does it to these nodes, now. */
  strike(fault: Fault, nodes: readonly SimNode[]): void {
    this.#world.note(() => `fault: ${fault.kind} ${fault.action} on ${nodes.map(({ id }) => id).join(' ')}`)
    const undo = this.#apply(fault, nodes)
    if (undo === undefined) return
    const once = () => {
      if (!this.#undo.delete(once)) return
      this.#world.note(() => `over: ${fault.kind} ${fault.action}`)
      undo()
    }
    this.#undo.add(once)
    this.#world.events.after(fault.duration, once)
  }

  #apply(fault: Fault, nodes: readonly SimNode[]): (() => void) | undefined {
    switch (fault.kind) {
      case 'network':
        return fault.action === 'partition' ? this.#partition(fault, nodes) : this.#network(fault, nodes)
      case 'io':
        return this.#io(fault, nodes)
      case 'process':
        return this.#process(fault, nodes)
      case 'clock':
        return this.#clock(fault, nodes)
      default:
        this.#operator.ask(fault.action, nodes)
        return undefined
    }
  }

  #select({ select }: Fault): SimNode[] {
    const leader = this.#world.leader()
    const candidates = [...this.#world.nodes.values()].filter((node) => {
      if (node.state === 'gone' || node.state === 'damaged') return false
      if (select.role === 'any') return true
      return (node === leader) === (select.role === 'leader')
    })
    const count =
      select.mode === 'all'
        ? candidates.length
        : Math.ceil(select.mode === 'fixed' ? select.value : (candidates.length * select.value) / 100)
    return shuffled(candidates, this.#random).slice(0, count)
  }

  #partition(fault: Extract<Fault, { readonly action: 'partition' }>, nodes: readonly SimNode[]): () => void {
    const all = [...this.#world.nodes.keys()]
    const chosen = new Set(nodes.map(({ id }) => id))
    const [bridge] = shuffled(all, this.#random)
    const isCut = (from: number, to: number): boolean => {
      switch (fault.direction) {
        case 'both':
          return chosen.has(from) !== chosen.has(to)
        case 'one-way':
          return chosen.has(from) && !chosen.has(to)
        case 'isolate':
          return chosen.has(from) || chosen.has(to)
        default:
          return from !== bridge && to !== bridge && chosen.has(from) !== chosen.has(to)
      }
    }
    const undo = all.flatMap((from) =>
      all.filter((to) => to !== from && isCut(from, to)).map((to) => this.#cut(from, to)),
    )
    if (undo.length > 0) this.#world.tally.count(PARTITIONS[fault.direction])
    return () => {
      for (const join of undo) join()
    }
  }

  #cut(from: number, to: number): () => void {
    return this.#world.network.cut(from, to)
  }

  #network(
    fault: Exclude<Of<'network'>, { readonly action: 'partition' }>,
    nodes: readonly SimNode[],
  ): (() => void) | undefined {
    if (fault.action === 'clog') {
      for (const { id } of nodes) {
        for (const to of this.#world.nodes.keys()) {
          if (to === id) continue
          const path = fault.way === 'out' ? { from: id, to } : { from: to, to: id }
          this.#world.network.clog({ ...path, durationMs: fault.duration })
        }
      }
      return undefined
    }
    const conditions = conditionsOf(fault)
    this.#conditions.push(conditions)
    this.#mixConditions()
    return () => {
      this.#conditions.splice(this.#conditions.indexOf(conditions), 1)
      this.#mixConditions()
    }
  }

  #mixConditions(): void {
    this.#world.network.conditions = Object.assign({}, CALM_NETWORK, ...this.#conditions)
  }

  #io(fault: Of<'io'>, nodes: readonly SimNode[]): () => void {
    const before = nodes.map(({ volume }) => volume.conditions)
    for (const node of nodes) this.#spoilDisk(fault, node)
    return () => {
      nodes.forEach((node, at) => {
        node.volume.conditions = before[at]!
        this.#writeDamage.delete(node.id)
      })
    }
  }

  #spoilDisk(fault: Of<'io'>, { id, volume }: SimNode): void {
    const { conditions } = volume
    if (fault.action === 'latency') {
      volume.conditions = { ...conditions, syncMsMin: 0, syncMsMax: fault.latency }
    } else if (fault.action === 'fault' && fault.errno === 28) {
      let used = 0
      for (const name of volume.names()) used += volume.durable(name)?.length ?? 0
      volume.conditions = { ...conditions, capacityBytes: used }
    } else if (fault.action === 'fault') {
      volume.conditions = { ...conditions, syncErrorPercent: fault.percent }
    } else if (fault.action === 'misdirect') {
      this.#writeDamage.set(id, { corruptPercent: 0, misdirectPercent: fault.percent })
    } else if (fault.methods.includes('read')) {
      volume.conditions = { ...conditions, readCorruptionPercent: fault.percent }
    } else {
      this.#writeDamage.set(id, { corruptPercent: fault.percent, misdirectPercent: 0 })
    }
  }

  #onWrite(node: SimNode, file: string): void {
    const planned = this.#writeDamage.get(node.id)
    if (planned === undefined || node.state !== 'up') return
    const isCorrupt = this.#random.float() * 100 < planned.corruptPercent
    const isMisdirected = !isCorrupt && this.#random.float() * 100 < planned.misdirectPercent
    if (!isCorrupt && !isMisdirected) return
    const how = isCorrupt ? 'corrupt' : 'misdirect'
    if (!damageByWrite(this.#world, { node, file, how, random: this.#random })) return
    this.#world.tally.count(isCorrupt ? 'disk-write-corruption' : 'disk-misdirected-write')
  }

  #process(fault: Of<'process'>, nodes: readonly SimNode[]): (() => void) | undefined {
    const { tally } = this.#world
    for (const node of nodes) {
      if (fault.action === 'replace') this.#operator.replace(node)
      else if (fault.action === 'upgrade') this.#upgrade(node)
      else if (fault.action === 'pause' && node.isRunning) {
        tally.count('process-pause')
        node.pause()
      } else if (fault.action === 'crash' && node.state === 'up') {
        tally.count('process-crash')
        this.#world.crash(node)
      }
    }
    if (fault.action !== 'pause' && fault.action !== 'crash') return undefined
    return () => {
      for (const node of nodes) {
        if (fault.action === 'crash') this.#world.restart(node)
        else if (node.isPaused) node.resume()
      }
    }
  }

  /** A rolling upgrade: the process ends and the newer build starts on the same disk. */
  #upgrade(node: SimNode): void {
    if (node.version > 1 || node.state !== 'up') return
    this.#world.tally.count('process-upgrade')
    this.#world.crash(node)
    node.version = 2
    this.#world.events.after(200 + this.#random.float() * 800, () => this.#world.restart(node))
  }

  #clock(fault: Of<'clock'>, nodes: readonly SimNode[]): (() => void) | undefined {
    if (nodes.length === 0) return undefined
    if (fault.action === 'jump') {
      for (const node of nodes) node.wallOffsetMs += fault.byMs
      this.#world.tally.count('clock-jump')
      return undefined
    }
    this.#world.tally.count('clock-skew')
    for (const node of nodes) node.clockRate = 1 + ((this.#random.float() * 2 - 1) * fault.percent) / 100
    return () => {
      for (const node of nodes) node.clockRate = 1
    }
  }
}

const PARTITIONS: Record<'both' | 'one-way' | 'bridge' | 'isolate', FaultKind> = {
  both: 'partition-symmetric',
  'one-way': 'partition-one-way',
  bridge: 'partition-bridge',
  isolate: 'partition-isolate-one',
}

function conditionsOf(
  fault: Exclude<Of<'network'>, { readonly action: 'partition' | 'clog' }>,
): Partial<NetworkConditions> {
  if ('late' in fault) return { duplicationPercent: fault.percent, duplicationDelayMsMax: fault.late }
  if ('latency' in fault) return { latencyMsMin: fault.latency / 4, latencyMsMax: fault.latency }
  if ('value' in fault) return { queueMax: fault.value }
  if (fault.action === 'reorder') return { reorderingPercent: fault.percent, latencyMsMax: 40 }
  return { lossPercent: fault.percent }
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const shuffling = [...items]
  for (let at = shuffling.length - 1; at > 0; at -= 1) {
    const other = Math.floor(random.float() * (at + 1))
    const swapped = shuffling[at]!
    shuffling[at] = shuffling[other]!
    shuffling[other] = swapped
  }
  return shuffling
}
