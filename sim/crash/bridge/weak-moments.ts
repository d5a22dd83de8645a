import type { Bus } from '../../../src/bus/index.ts'
import { TOPIC } from './bridge-ends.ts'

/**
 * Where a bridge dies. `anywhere` is up to whoever kills it; the others are between the steps of one chunk: before it is
 * written, while it is on its way, stored and not acknowledged, acknowledged and not noted, and when it is being noted.
 */
export const MOMENTS = ['stored', 'anywhere', 'writing', 'acknowledged', 'noting', 'before-write'] as const
export type Moment = (typeof MOMENTS)[number]

const WRITING_MS = 3

function die(): void {
  process.kill(process.pid, 'SIGKILL')
}

/** Buses under which this process kills itself at the `nth` such moment. */
export function dyingAt(
  moment: Moment,
  nth: number,
  { source, target }: { readonly source: Bus; readonly target: Bus },
): { readonly source: Bus; readonly target: Bus } {
  let left = nth
  const isNow = (at: Moment) => {
    if (at === moment) left -= 1
    return at === moment && left <= 0
  }
  return {
    source: withMethods(source, {
      reader: (topic, options) => {
        const reader = source.reader(topic, options)
        return withMethods(reader, {
          async acknowledge(through, generation) {
            if (isNow('stored')) die()
            await reader.acknowledge(through, generation)
            if (isNow('acknowledged')) die()
          },
        })
      },
    }),
    target: withMethods(target, {
      writer: (topic, options) => {
        const writer = target.writer(topic, options)
        return withMethods(writer, {
          write(batch) {
            if (isNow(topic === TOPIC ? 'before-write' : 'noting')) die()
            const writing = writer.write(batch)
            if (topic === TOPIC && isNow('writing')) setTimeout(die, Math.random() * WRITING_MS)
            return writing
          },
        })
      },
    }),
  }
}

/** The object with some of its methods replaced. */
function withMethods<Target extends object>(target: Target, methods: Partial<Target>): Target {
  return new Proxy(target, {
    get(_, name) {
      const owner = name in methods ? methods : target
      const found: unknown = Reflect.get(owner, name)
      return typeof found === 'function' ? found.bind(owner) : found
    },
  })
}
