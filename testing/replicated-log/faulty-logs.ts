import type { Appended, LogEntry, LogRead, ReplicatedLog } from '../../src/consensus/index.ts'
import { delegate } from '../bus/delegate.ts'
import type { ReplicatedLogWorld } from './world.ts'

/** A replicated log with one fault, made of a sound one: the suite must fail it. */
export interface FaultyLog {
  readonly name: string
  readonly wrap: (log: ReplicatedLog) => ReplicatedLog
}

type Read = ReplicatedLog['read']

/** Changes what readers are given. */
function reading(change: (reads: AsyncIterable<LogRead>, from: number) => AsyncIterable<LogRead>): FaultyLog['wrap'] {
  return (log) => {
    const read: Read = (from, options) => change(log.read(from, options), from)
    return delegate(log, { read })
  }
}

/** Changes the entries that readers are given, one read at a time. */
function entries(change: (entries: readonly LogEntry[]) => readonly LogEntry[]): FaultyLog['wrap'] {
  return reading(async function* (reads) {
    for await (const read of reads) yield 'snapshot' in read ? read : { ...read, entries: change(read.entries) }
  })
}

const later = () => new Promise((resolve) => setImmediate(resolve))

const appendFaults: readonly FaultyLog[] = [
  {
    name: 'acknowledges a command that it drops now and then',
    wrap: (log) => {
      let count = 0
      return delegate(log, {
        append: (commands, options) => {
          count += 1
          const kept = count % 3 === 0 && commands.length > 1 ? commands.slice(0, -1) : commands
          return log.append(kept, options)
        },
      })
    },
  },
  {
    name: 'keeps the bytes that were given instead of a copy',
    wrap: (log) =>
      delegate(log, {
        append: async (commands, options) => {
          await later()
          return log.append(commands, options)
        },
      }),
  },
  {
    name: 'appends the commands of a call one by one',
    wrap: (log) =>
      delegate(log, {
        append: async (commands, options) => {
          if (commands.length === 0) return log.append(commands, options)
          const receipts: Appended[] = []
          for (const command of commands) receipts.push(await log.append([command], options))
          return { ...receipts.at(-1)!, first: receipts[0]!.first, indexes: receipts.map(({ last }) => last) }
        },
      }),
  },
  {
    name: 'appends the latest call first',
    wrap: (log) => {
      let waiting: Array<() => void> = []
      return delegate(log, {
        append: (commands, options) => {
          const copies = commands.map((command) => command.slice())
          const { promise, resolve } = Promise.withResolvers<Appended>()
          waiting.unshift(() => resolve(log.append(copies, options)))
          if (waiting.length === 1) {
            setImmediate(() => {
              const due = waiting
              waiting = []
              for (const send of due) send()
            })
          }
          return promise
        },
      })
    },
  },
  {
    name: 'appends a call a second time',
    wrap: (log) =>
      delegate(log, {
        append: async (commands, options) => {
          const copies = commands.map((command) => command.slice())
          const receipt = await log.append(copies, options)
          await log.append(copies).catch(() => undefined)
          return receipt
        },
      }),
  },
  {
    name: 'says that an unknown outcome is a refusal',
    wrap: (log) =>
      delegate(log, {
        append: (commands, options) =>
          log.append(commands, options).catch((error: Error & { code?: string }) => {
            if (error.code === 'outcome-unknown') error.code = 'closed'
            throw error
          }),
      }),
  },
  {
    name: 'appends what was no longer wanted',
    wrap: (log) =>
      delegate(log, {
        append: async (commands, options) => {
          const receipt = log.append(commands)
          await receipt.catch(() => undefined)
          options?.signal?.throwIfAborted()
          return receipt
        },
      }),
  },
  {
    name: 'takes an empty append',
    wrap: (log) =>
      delegate(log, {
        append: (commands, options) => log.append(commands.length === 0 ? [new Uint8Array(0)] : commands, options),
      }),
  },
  {
    name: 'gives receipts with an index too many',
    wrap: (log) =>
      delegate(log, {
        append: async (commands, options) => {
          const receipt = await log.append(commands, options)
          return { ...receipt, first: receipt.first + 1, last: receipt.last + 1, indexes: undefined as never }
        },
      }),
  },
  {
    name: 'acknowledges what it is given after it was deposed',
    wrap: (log) => {
      let receipt: Appended | undefined
      const append: ReplicatedLog['append'] = async (commands, options) => {
        try {
          receipt = await log.append(commands, options)
        } catch (error) {
          if (receipt === undefined || (error as { code?: string }).code !== 'not-leader') throw error
        }
        return receipt
      }
      return delegate(log, { append })
    },
  },
  {
    name: 'hands on what it refused to whoever leads',
    wrap: handingOn(),
  },
  {
    name: 'promises more than it keeps',
    wrap: (log) =>
      delegate(log, {
        append: async (commands, options) => {
          const receipt = await log.append(commands, options)
          return { ...receipt, durability: receipt.durability === 'quorum-durable' ? 'durable' : 'quorum-durable' }
        },
      }),
  },
]

/** What one member refused is appended by the next one that can, though its caller was told that it is not. */
function handingOn(): FaultyLog['wrap'] {
  let left: Uint8Array[][] = []
  return (log) => {
    const append: ReplicatedLog['append'] = async (commands, options) => {
      const copies = commands.map((command) => command.slice())
      const due = log.status().state === 'leading' ? left.splice(0) : []
      for (const refused of due) await log.append(refused)
      return log.append(copies, options).catch((error: { code?: string }) => {
        if (error.code === 'not-leader') left = [...left, copies]
        throw error
      })
    }
    return delegate(log, { append })
  }
}

const readFaults: readonly FaultyLog[] = [
  { name: 'gives entries out of order', wrap: entries((given) => given.toReversed()) },
  { name: 'gives an entry twice', wrap: entries((given) => given.flatMap((entry) => [entry, entry])) },
  { name: 'leaves out an entry', wrap: entries((given) => (given.length > 1 ? given.slice(0, -1) : given)) },
  {
    name: 'says that each entry is of the first term',
    wrap: entries((given) => given.map((entry) => ({ ...entry, term: 1 }))),
  },
  {
    name: 'gives what a deposed leader wrote behind the claim of its successor',
    wrap: reading(async function* (reads) {
      let before: LogEntry | undefined
      for await (const read of reads) {
        if ('snapshot' in read) {
          yield read
          continue
        }
        const given: LogEntry[] = []
        for (const entry of read.entries) {
          const isSucceeding = before !== undefined && before.term < entry.term && before.index < entry.index - 1
          if (isSucceeding) given.push({ ...before!, index: entry.index - 1 })
          given.push(entry)
          before = entry
        }
        yield { ...read, entries: given }
      }
    }),
  },
  {
    name: 'has no log time',
    wrap: entries((given) => given.map((entry) => ({ ...entry, timeMs: 0 }))),
  },
  {
    name: 'counts the entries instead of giving their places',
    wrap: (log) => {
      let index = 0
      return entries((given) =>
        given.map((entry) => {
          index += 1
          return { ...entry, index }
        }),
      )(log)
    },
  },
  {
    name: 'reads from the beginning, whatever was asked for',
    wrap: (log) => delegate(log, { read: (from, options) => log.read(from > 0 ? 0 : from, options) }),
  },
  {
    name: 'ends a read where it would have to wait',
    wrap: (log) =>
      delegate(log, {
        read: (from, options) => {
          const end = log.status().committedIndex
          return (async function* () {
            if (from > end) return
            for await (const read of log.read(from, options)) {
              yield read
              if (('snapshot' in read ? read.snapshot.index : read.through) >= end) return
            }
          })()
        },
      }),
  },
  {
    name: 'does not hear a reader give up',
    wrap: (log) =>
      delegate(log, { read: (from, options) => log.read(from, { onCompacted: options?.onCompacted ?? 'snapshot' }) }),
  },
  {
    name: 'passes over what was compacted without a word',
    wrap: reading(async function* (reads) {
      for await (const read of reads) if ('entries' in read) yield read
    }),
  },
  {
    name: 'gives the snapshot to who asked to fail',
    wrap: (log) => delegate(log, { read: (from, options) => log.read(from, { ...options, onCompacted: 'snapshot' }) }),
  },
]

const otherFaults: readonly FaultyLog[] = [
  {
    name: 'answers a barrier by what it happens to know',
    wrap: (log) => delegate(log, { barrier: async () => Math.max(0, log.status().committedIndex - 1) }),
  },
  {
    name: 'answers a barrier at a place that nothing reaches',
    wrap: (log) => delegate(log, { barrier: async (options) => (await log.barrier(options)) + 1_000_000 }),
  },
  {
    name: 'does not hear a barrier given up',
    wrap: (log) => delegate(log, { barrier: () => log.barrier() }),
  },
  { name: 'never compacts', wrap: (log) => delegate(log, { compact: async () => {} }) },
  {
    name: 'lets go of everything through the snapshot',
    wrap: (log) =>
      delegate(log, {
        compact: (through, snapshot, options) =>
          log.compact(through <= snapshot.index ? snapshot.index : through, snapshot, options),
      }),
  },
  {
    name: 'compacts beyond its snapshot without a word',
    wrap: (log) =>
      delegate(log, {
        compact: (through, snapshot, options) => log.compact(Math.min(through, snapshot.index), snapshot, options),
      }),
  },
  {
    name: 'drains as it closes',
    wrap: (log) => delegate(log, { drain: () => log.close() }),
  },
  {
    name: 'goes on after it was closed',
    wrap: (log) => delegate(log, { close: async () => {} }),
  },
  {
    name: 'says that everyone leads',
    wrap: (log) => delegate(log, { status: () => ({ ...log.status(), state: 'leading' as const }) }),
  },
  {
    name: 'tells its status once',
    wrap: (log) =>
      delegate(log, {
        changes: async function* () {
          yield log.status()
        },
      }),
  },
]

/** What implementations get wrong. A suite that passes one of these proves nothing. */
export const faultyLogs: readonly FaultyLog[] = [...appendFaults, ...readFaults, ...otherFaults]

/** A world whose logs have the fault: one wrapper for each log, as long as that lives. */
export function faultyLogWorld(world: ReplicatedLogWorld, fault: FaultyLog): ReplicatedLogWorld {
  const wrapped = new WeakMap<ReplicatedLog, ReplicatedLog>()
  const wrap = (log: ReplicatedLog): ReplicatedLog => {
    const known = wrapped.get(log) ?? fault.wrap(log)
    wrapped.set(log, known)
    return known
  }
  return delegate<ReplicatedLogWorld>(world, {
    leader: async () => wrap(await world.leader()),
    follower: async () => wrap(await world.follower()),
    depose: async () => wrap(await world.depose()),
  })
}
