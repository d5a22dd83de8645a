import type { Bus, Delivery, Reader } from '../../src/bus/index.ts'
import { systemClock } from '../../src/core/system/index.ts'
import type { CommandRecord } from './history.ts'

const QUIET_MS = 500
const LOOK_EVERY_MS = 20

/**
 * Reads commands from the log while they are fresh: past its deadline nobody is given a command any more, and so neither
 * is the audit.
 */
export class CommandTap {
  readonly #found: CommandRecord[] = []
  readonly #reader: Reader
  readonly #stop = new AbortController()
  readonly #loop: Promise<void>

  /** Waits until an agent that handles commands has opened their topic. */
  static async open(bus: Bus, topic: string): Promise<CommandTap> {
    while (!(await bus.admin.listTopics()).includes(topic)) await systemClock.sleep(LOOK_EVERY_MS)
    return new CommandTap(bus, topic)
  }

  private constructor(bus: Bus, topic: string) {
    this.#reader = bus.reader(topic, { mode: 'broadcast', from: 'earliest' })
    this.#loop = this.#follow()
    // Its failure is told by `finish`.
    this.#loop.catch(() => {})
  }

  /** To be called when nothing more is sent: everything that was, once per intent and agent and resend. */
  async finish(): Promise<readonly CommandRecord[]> {
    this.#stop.abort()
    await this.#loop
    await this.#reader.close()
    return this.#found
  }

  async #follow(): Promise<void> {
    for (;;) {
      const batch = await this.#reader.read({ waitMs: QUIET_MS })
      if (batch === null && this.#stop.signal.aborted) return
      if (batch === null) continue
      for (const delivery of batch.deliveries) this.#found.push(...commandsOf(delivery))
      await this.#reader.acknowledge(batch.last)
    }
  }
}

function commandsOf(delivery: Delivery): CommandRecord[] {
  const { skeinintent, skeindeadline, skeintargets } = delivery.headers
  const targets = JSON.parse(skeintargets!) as ReadonlyArray<readonly [string, number, number]>
  return targets.map(([agentId]) => ({ intentId: skeinintent!, agentId, startByMs: Number(skeindeadline) }))
}
