import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { falter } from '../../../test/falter.ts'
import { seededRandom } from '../../../testing/index.ts'
import { openEmbeddedBus } from '../../bus/drivers/embedded/index.ts'
import type { Bus } from '../../bus/index.ts'
import { memoryDisk, type Random, type SkeinError } from '../../core/index.ts'
import { systemClock, systemRandom } from '../../core/system/index.ts'
import { openDirectoryStore } from '../../objects/index.ts'
import type { ReplicatedLog } from '../replicated-log.ts'
import type { BrokerLog } from './broker-log.ts'
import { type BrokerLogOptions, openBrokerLog } from './open-broker-log.ts'
import { encodeRecord, type LogRecord } from './record-codec.ts'

const SEEDS = 15
const STEPS = 40

/** A log's topic, whoever writes to it, and members that read it. */
async function make(t: TestContext) {
  const machine = { clock: systemClock, random: systemRandom }
  const disk = memoryDisk()
  const bus = await openEmbeddedBus({ ...machine, disk, directory: 'bus' })
  t.after(() => bus.close())
  await bus.open({ name: 'log', intent: 'event', partitions: 1, durability: 'none', deduplicationWindowMs: 0 })
  const objects = await openDirectoryStore({ disk, directory: 'objects' })
  const open = async (id: string, options: Partial<BrokerLogOptions> = {}) => {
    const parts = { ...machine, bus, objects, topic: 'log', id, durability: 'none' } as const
    const log = await openBrokerLog({ ...parts, ...options })
    t.after(() => log.close())
    return log
  }
  const writer = bus.writer('log')
  const write = async (record: LogRecord) => {
    await writer.write([{ subject: 'log.record', key: 'log', value: encodeRecord(record) }])
  }
  const follow = (id: string) => open(id, { leads: false })
  return { bus, open, follow, write }
}

function claim(epoch: number): LogRecord {
  const data = Buffer.from(JSON.stringify({ id: `w${epoch}`, nonce: `n${epoch}` }))
  return { kind: 'claim', epoch, timeMs: 0, call: 0, ordinal: 0, count: 1, data }
}

function command(of: Pick<LogRecord, 'epoch' | 'call' | 'ordinal' | 'count'>): LogRecord {
  const data = Buffer.from(`${of.epoch}.${of.call}.${of.ordinal}`)
  return { kind: 'command', timeMs: 1, ...of, data }
}

/** What writers that die, pause and say things twice put into a topic: whole calls, and parts of some. */
function* written(random: ReturnType<typeof seededRandom>): Generator<LogRecord> {
  let epoch = 1
  let call = 0
  yield claim(epoch)
  for (let step = 0; step < STEPS; step += 1) {
    const dice = random.float()
    if (dice < 0.15) {
      epoch += 1
      call = 0
      yield claim(epoch)
      continue
    }
    if (dice < 0.2) {
      // Two claimed it at once: what the second one writes is of the first one's epoch.
      yield claim(epoch)
      yield command({ epoch, call: 1, ordinal: 0, count: 1 })
      call = Math.max(call, 1)
    }
    const isRepeated = dice > 0.9 && call > 0
    if (!isRepeated) call += 1
    const isStale = dice > 0.75 && dice < 0.85 && epoch > 1
    const count = 1 + Math.floor(random.float() * 4)
    const end = random.float() < 0.3 ? Math.floor(random.float() * count) : count
    for (let ordinal = 0; ordinal < end; ordinal += 1) {
      yield command({ epoch: isStale ? epoch - 1 : epoch, call, ordinal, count })
    }
  }
}

/** The rule once more, over all that was written: a call counts when it is of the epoch in force, newer, and whole. */
function expected(records: readonly LogRecord[]): string[] {
  const found: string[] = []
  let epoch = 0
  let lastCall = 0
  let open: LogRecord[] = []
  for (const record of records) {
    if (record.kind === 'claim') {
      if (record.epoch <= epoch) continue
      epoch = record.epoch
      lastCall = 0
      open = []
    } else if (record.epoch === epoch) {
      if (record.ordinal === 0) open = record.call > lastCall ? [] : [command({ ...record, call: -1 })]
      if (record.ordinal !== open.length || open.some(({ call }) => call !== record.call)) continue
      open.push(record)
      if (open.length < record.count) continue
      found.push(...open.map(({ data }) => Buffer.from(data).toString()))
      lastCall = record.call
      open = []
    }
  }
  return found
}

/** Commands from `from` on, through what was committed when this was called, and where that ends. */
async function readOn(log: ReplicatedLog, from: number): Promise<{ readonly found: string[]; readonly next: number }> {
  const end = await log.barrier()
  const found: string[] = []
  let next = from
  if (next > end) return { found, next }
  for await (const read of log.read(from)) {
    assert.ok('entries' in read)
    for (const { index, data } of read.entries) {
      assert.ok(index >= next, `entry ${index} comes after ${next - 1} was read`)
      next = index + 1
      found.push(Buffer.from(data).toString())
    }
    next = read.through + 1
    if (read.through >= end) break
  }
  return { found, next }
}

test('Whatever writers leave behind, a reader at any time sees whole calls of their epoch, once, and no other ever after', async (t) => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const random = seededRandom(seed)
    const { follow, write } = await make(t)
    const follower = await follow('early')
    const records: LogRecord[] = []
    const seen: string[] = []
    let next = 0
    for (const record of written(random)) {
      await write(record)
      records.push(record)
      if (random.float() > 0.3) continue
      const read = await readOn(follower, next)
      next = read.next
      seen.push(...read.found)
      assert.deepEqual(seen, expected(records), `seed ${seed}`)
    }
    const late = await follow('late')
    for (const from of [0, 1]) assert.deepEqual((await readOn(late, from)).found, expected(records), `seed ${seed}`)
    // From anywhere in the middle the rest is the same.
    const half = await readOn(late, Math.floor(next / 2))
    assert.deepEqual(half.found, half.found.length === 0 ? [] : expected(records).slice(-half.found.length))
  }
})

/** A bus whose writers falter. */
function faltering(bus: Bus, random: Random): Bus {
  return new Proxy(bus, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      if (name !== 'writer') return value.bind(target)
      return (...given: Parameters<Bus['writer']>) => {
        const writer = target.writer(...given)
        falter(writer, random)
        return writer
      }
    },
  })
}

type Ending = 'kept' | 'unknown' | 'refused'

test('An append is acknowledged, unknown or refused, and the log agrees: there once, at most once, or not', async (t) => {
  const endings = new Map<string, Ending>()
  const { bus, open, follow } = await make(t)
  const random = seededRandom(3)
  const writers: BrokerLog[] = []
  for (const id of ['a', 'b']) writers.push(await open(id, { leads: false }))
  const shaky: BrokerLog[] = []
  for (const id of ['c', 'd']) {
    // Its barrier at the opening may fail as well.
    const opening = () => open(id, { bus: faltering(bus, random), leads: false }).catch(() => undefined)
    for (let log = await opening(); ; log = await opening()) {
      if (log === undefined) continue
      shaky.push(log)
      break
    }
  }
  const appends: Promise<void>[] = []
  const append = (log: BrokerLog, name: string) => {
    const commands = [`${name} first`, `${name} second`]
    const calling = log.append(commands.map((command) => Buffer.from(command))).then(
      (): Ending => 'kept',
      ({ code }: SkeinError): Ending => (code === 'outcome-unknown' ? 'unknown' : 'refused'),
    )
    const note = (ending: Ending) => {
      for (const command of commands) endings.set(command, ending)
    }
    appends.push(calling.then(note))
  }
  for (let round = 0; round < 40; round += 1) {
    const log = [...writers, ...shaky][Math.floor(random.float() * 4)]!
    await log.lead().catch(() => undefined)
    for (let at = 0; at < 4; at += 1) append(log, `${round}.${at}`)
    if (random.float() < 0.5) await Promise.allSettled(appends)
  }
  await Promise.all(appends)
  const { found } = await readOn(await follow('late'), 0)
  const counts = new Map<string, number>()
  for (const command of found) counts.set(command, (counts.get(command) ?? 0) + 1)
  for (const [command, ending] of endings) {
    const count = counts.get(command) ?? 0
    const may = { kept: [1], unknown: [0, 1], refused: [0] }[ending]
    assert.ok(may.includes(count), `"${command}" was ${ending} and is there ${count} times`)
  }
  for (const ending of ['kept', 'unknown', 'refused'] as const)
    assert.ok([...endings.values()].includes(ending), ending)
})

test('A claim that makes no sense ends who follows, as corrupt', async (t) => {
  const { follow, write } = await make(t)
  const log = await follow('a')
  await write({ ...claim(1), data: Buffer.from('{"id":') })
  await assert.rejects(log.barrier(), { code: 'corrupt' })
  assert.equal(log.status().state, 'closed')
  await assert.rejects(log.append([Buffer.from('x')]), { code: 'corrupt' })
})
