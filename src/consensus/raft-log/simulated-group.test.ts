import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedClock, SimulatedDisk, SimulatedStreams, seededRandom } from '../../../testing/index.ts'
import { openRaftLog } from './open-raft-log.ts'
import type { RaftLog } from './raft-log.ts'

const SEEDS = Number(process.env.SEEDS ?? 30)
const ROUNDS = 8
/** So long that what does not wait for a sync is done before it. */
const SYNC_TURNS_MAX = 200
/** Messages, ticks and calls come while a sync is under way. */
const SYNC_MS_MAX = 4
const BETWEEN_CALLS_MS_MAX = 2
/** A run takes half a second, more on a busy machine; one that waits for what never comes is a failure. */
const TIMEOUT_MS = 60_000

const KINDS = [
  'power',
  'cut',
  'reset',
  'compact',
  'power-all',
  'power-at-work',
  'power-at-compaction',
  'power-at-election',
  'left-behind',
] as const

interface Machine {
  readonly id: number
  readonly disk: SimulatedDisk
  log: RaftLog | undefined
}

/** Members of a group on simulated time, disks and streams. */
class World {
  readonly clock = new SimulatedClock()
  readonly random
  readonly streams: SimulatedStreams
  readonly machines: readonly Machine[]
  /** By index, what any member ever gave to a reader. */
  readonly #read = new Map<number, string>()
  readonly #signal: AbortSignal

  /** `signal`: of the test; when its time is up nothing more is played. */
  constructor(seed: number, signal: AbortSignal, ids: readonly number[] = [1, 2, 3]) {
    this.#signal = signal
    this.random = seededRandom(seed)
    this.streams = new SimulatedStreams({ clock: this.clock, random: seededRandom(seed + 1_000) })
    this.machines = ids.map((id) => {
      const random = seededRandom(seed * 10 + id)
      const syncTakes = () => this.clock.sleep(random.float() * SYNC_MS_MAX)
      const disk = new SimulatedDisk({ random, syncTurnsMax: SYNC_TURNS_MAX, syncTakes })
      return { id, disk, log: undefined }
    })
  }

  async start(machine: Machine): Promise<void> {
    const { id, disk } = machine
    const opening = openRaftLog({
      clock: this.clock,
      random: seededRandom(id + Math.floor(this.random.float() * 1e6)),
      disk,
      network: this.streams.network(`m${id}`),
      directory: 'raft',
      cluster: 'simulated',
      id,
      listen: `m${id}:1`,
      bootstrap: this.machines.map(({ id: one }) => ({ id: one, address: `m${one}:1` })),
      segmentBytes: 1_000,
    })
    machine.log = await this.clock.until(opening)
  }

  /** However often its power fails meanwhile. */
  async startAgain(machine: Machine): Promise<void> {
    for (;;) {
      try {
        await this.start(machine)
        return
      } catch (error) {
        if (!machine.disk.isOff) throw error
        machine.disk.restart()
      }
    }
  }

  /** The power of one machine fails: what was not synced may be lost. */
  async losePower(machine: Machine): Promise<void> {
    if (!machine.disk.isOff) machine.disk.losePower()
    await this.#stop(machine)
    machine.disk.restart()
  }

  async #stop(machine: Machine): Promise<void> {
    this.streams.crash(`m${machine.id}`)
    const closing = machine.log?.close().catch(() => undefined)
    machine.log = undefined
    if (closing !== undefined) await this.clock.until(closing)
  }

  get leader(): RaftLog | undefined {
    return this.machines.find(({ log }) => log?.status().state === 'leading')?.log
  }

  async append(commands: readonly string[]): Promise<boolean> {
    this.#signal.throwIfAborted()
    const { leader } = this
    if (leader === undefined) {
      await this.clock.advance(100)
      return false
    }
    const appending = this.#appendEach(leader, commands).then(
      () => true,
      (error: { readonly code?: string }) => {
        // A member whose disk is off refuses everything with what the disk said.
        const isOff = this.machines.some(({ disk }) => disk.isOff)
        assert.ok(isOff || ['not-leader', 'outcome-unknown', 'closed'].includes(error.code ?? ''), String(error))
        return false
      },
    )
    let isSettled = false
    void appending.then(() => {
      isSettled = true
    })
    const isWithoutPower = ({ disk, log }: Machine) => disk.isOff && log !== undefined
    while (!isSettled) {
      await this.clock.advanceUntil(() => isSettled || this.machines.some(isWithoutPower), { stepMs: 1 })
      // A machine without power says nothing more, even if nobody writes to its disk.
      for (const machine of this.machines.filter(isWithoutPower)) await this.#stop(machine)
    }
    return appending
  }

  /** Each in a call of its own, begun shortly after the one before it. */
  async #appendEach(leader: RaftLog, commands: readonly string[]): Promise<void> {
    const calls: Promise<unknown>[] = []
    for (const command of commands) {
      if (calls.length > 0) await this.clock.sleep(this.random.float() * BETWEEN_CALLS_MS_MAX)
      const call = leader.append([Buffer.from(command)])
      // It is awaited below, with the others.
      call.catch(() => undefined)
      calls.push(call)
    }
    await Promise.all(calls)
  }

  /** What a member keeps is what others read there, nothing of it is missing, and its time never goes back. */
  async checkKept({ log }: Machine): Promise<void> {
    const { firstIndex, committedIndex } = log!.status()
    if (firstIndex > committedIndex) return
    const found = new Map<number, string>()
    let newestMs = 0
    for await (const read of log!.read(firstIndex)) {
      assert.ok('entries' in read, 'no snapshot stands for what is kept')
      for (const { index, timeMs, data } of read.entries) {
        assert.ok(timeMs >= newestMs, `the time of entry ${index} goes back`)
        newestMs = timeMs
        found.set(index, Buffer.from(data).toString())
      }
      if (read.through >= committedIndex) break
    }
    for (const [index, command] of this.#read) {
      if (index < firstIndex || index > committedIndex) continue
      assert.equal(found.get(index), command, `entry ${index}, kept from ${firstIndex} to ${committedIndex}`)
    }
    for (const [index, command] of found) this.#read.set(index, command)
  }

  pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.random.float() * from.length)]!
  }
}

/** Everything of a log from its beginning; where a snapshot stands for it, what the snapshot says. */
async function everything(log: RaftLog): Promise<string[]> {
  const end = log.status().committedIndex
  let found: string[] = []
  if (end === 0) return found
  for await (const read of log.read(0)) {
    if ('snapshot' in read) {
      const state = Buffer.concat(await Array.fromAsync(log.snapshots.read(read.snapshot)))
      found = JSON.parse(state.toString()) as string[]
    } else for (const { data } of read.entries) found.push(Buffer.from(data).toString())
    if (('snapshot' in read ? read.snapshot.index : read.through) >= end) break
  }
  return found
}

async function compact(log: RaftLog): Promise<void> {
  const index = log.status().committedIndex
  const state = Buffer.from(JSON.stringify(await everything(log)))
  const snapshot = await log.snapshots.write({ index, timeMs: 1 }, state)
  await log.compact(index - 3, snapshot)
}

/** The power of all fails at some call of their disks, while they are at work. What was acknowledged until then must be kept. */
async function losePowerAtWork(world: World, round: number): Promise<string[]> {
  for (const { disk } of world.machines) disk.failPowerAt(1 + Math.floor(world.random.float() * 25))
  const acknowledged: string[] = []
  for (let at = 0; at < 12; at += 1) {
    const command = `at work ${round}.${at}`
    if (await world.append([command])) acknowledged.push(command)
  }
  for (const machine of world.machines) await world.losePower(machine)
  for (const machine of world.machines) await world.start(machine)
  return acknowledged
}

async function losePowerAtCompaction(world: World, machine: Machine): Promise<void> {
  machine.disk.failPowerAt(1 + Math.floor(world.random.float() * 40))
  await world.clock.until(compact(machine.log!)).catch(() => undefined)
  await world.losePower(machine)
  await world.start(machine)
}

/** Nobody has a leader, and the power fails again while they start and elect one. */
async function losePowerAtElection(world: World): Promise<void> {
  for (const machine of world.machines) {
    await world.losePower(machine)
    machine.disk.failPowerAt(1 + Math.floor(world.random.float() * 60))
    await world.startAgain(machine)
  }
  await world.clock.advance(world.random.float() * 4_000)
  for (const machine of world.machines) {
    await world.losePower(machine)
    await world.start(machine)
  }
}

/** One that has a snapshot of its own is left so far behind that it gets another's; its power fails at about that time. */
async function leaveBehind(world: World, machine: Machine, round: number): Promise<string[]> {
  await world.clock.until(compact(machine.log!)).catch(() => undefined)
  world.streams.cut(`m${machine.id}`)
  const acknowledged: string[] = []
  for (let at = 0; at < 10; at += 1) {
    const command = `left behind ${round}.${at}`
    if (await world.append([command])) acknowledged.push(command)
  }
  for (const { log } of world.machines) await world.clock.until(compact(log!)).catch(() => undefined)
  machine.disk.failPowerAt(1 + Math.floor(world.random.float() * 60))
  world.streams.heal()
  await world.clock.advance(world.random.float() * 6_000)
  await world.losePower(machine)
  await world.start(machine)
  return acknowledged
}

/** Returns what was acknowledged meanwhile. */
async function disturb(world: World, round: number): Promise<string[]> {
  const machine = world.pick(world.machines)
  const kind = world.pick(KINDS)
  // Whatever clocks on the wall do, log time does not go back.
  world.clock.jumpWall((world.random.float() - 0.5) * 100_000)
  if (kind === 'power-at-work') return losePowerAtWork(world, round)
  if (kind === 'left-behind') return leaveBehind(world, machine, round)
  if (kind === 'power-at-compaction') await losePowerAtCompaction(world, machine)
  else if (kind === 'power-at-election') await losePowerAtElection(world)
  else if (kind === 'power') {
    await world.losePower(machine)
    await world.clock.advance(world.random.float() * 3_000)
    await world.start(machine)
  } else if (kind === 'cut') {
    world.streams.cut(`m${machine.id}`)
    await world.append([`doubtful ${round}`])
    await world.clock.advance(world.random.float() * 4_000)
    world.streams.heal()
  } else if (kind === 'reset') world.streams.reset(`m${machine.id}`)
  else if (kind === 'compact') await world.clock.until(compact(machine.log!)).catch(() => undefined)
  else {
    for (const one of world.machines) await world.losePower(one)
    for (const one of world.machines) await world.start(one)
  }
  return []
}

for (let seed = 1; seed <= SEEDS; seed += 1) {
  test(`Through power losses, cuts and snapshots nothing acknowledged is lost and all agree (seed ${seed}; SEEDS=n for more)`, {
    timeout: TIMEOUT_MS,
  }, async (t) => {
    const world = new World(seed, t.signal)
    for (const machine of world.machines) await world.start(machine)
    const acknowledged: string[] = []
    for (let round = 0; round < ROUNDS; round += 1) {
      for (let at = 0; at < 5; at += 1) {
        const commands = ['a', 'b', 'c', 'd'].map((letter) => `${round}.${at}${letter}`)
        for (let tries = 0; tries < 100; tries += 1) {
          const named = commands.map((command) => `${command} try ${tries}`)
          if (!(await world.append(named))) continue
          acknowledged.push(...named)
          break
        }
      }
      acknowledged.push(...(await disturb(world, round)))
      // What its disk says it has can be read, snapshots included.
      for (const machine of world.machines) {
        await everything(machine.log!)
        await world.checkKept(machine)
      }
    }
    await world.clock.advanceUntil(() => world.leader !== undefined)
    await world.clock.advanceUntil(() => world.append(['end']), { limitMs: 120_000 })
    const found: string[][] = []
    for (const { log } of world.machines) {
      const hasAll = async () => {
        t.signal.throwIfAborted()
        return (await everything(log!)).at(-1) === 'end'
      }
      await world.clock.advanceUntil(hasAll, { stepMs: 500 })
      found.push(await everything(log!))
    }
    assert.deepEqual(found[1], found[0])
    assert.deepEqual(found[2], found[0])
    assert.equal(new Set(found[0]).size, found[0]!.length, 'nothing is there twice')
    assert.deepEqual(
      found[0]!.filter((command) => acknowledged.includes(command)),
      acknowledged,
    )
    for (const { log } of world.machines) await world.clock.until(log!.close())
    // What was on its way arrives nowhere, and sets nothing off.
    await world.clock.advance(10_000)
    assert.equal(world.clock.timers, 0, 'nothing is left behind')
  })
}

test('Wherever in a compaction the power fails, the member starts again with all that it acknowledged', {
  timeout: TIMEOUT_MS,
}, async (t) => {
  for (let call = 1, isOver = false; !isOver; call += 1) {
    const world = new World(call, t.signal, [1])
    const machine = world.machines[0]!
    await world.start(machine)
    await world.clock.advanceUntil(() => world.leader !== undefined)
    const acknowledged: string[] = []
    const appendSome = async () => {
      for (let at = 0; at < 20; at += 1) {
        const command = `command ${acknowledged.length}`
        assert.ok(await world.append([command]))
        acknowledged.push(command)
      }
    }
    await appendSome()
    await world.clock.until(compact(machine.log!))
    await appendSome()
    machine.disk.failPowerAt(call)
    await world.clock.until(compact(machine.log!)).catch(() => undefined)
    isOver = !machine.disk.isOff
    await world.losePower(machine)
    await world.start(machine)
    await world.clock.advanceUntil(() => world.leader !== undefined)
    assert.ok(await world.append(['end']))
    assert.deepEqual(await everything(machine.log!), [...acknowledged, 'end'], `power lost at call ${call}`)
    await world.clock.until(machine.log!.close())
  }
})
