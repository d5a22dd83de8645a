import { connect, type Fabric } from '../../src/fabric/index.ts'
import { COMMANDED_AGENT, positionsOf, Turn } from './contract.ts'
import { Tally } from './tally.ts'
import { wallMs } from './wall-clock.ts'
import { serveRequests } from './worker.ts'

export interface ConsumeRequest {
  readonly url: string
  readonly round: string
  /** Answers when so many have been counted; without it, at once, and goes on reading. */
  readonly messages?: number
  /** Where the commanded agent keeps its inbox. */
  readonly stateDir?: string
}

export interface Consumed {
  readonly endedAtMs: number
  readonly consumed: number
  readonly repeated: number
  readonly reordered: number
}

let connecting: Promise<Fabric> | undefined

serveRequests(async ({ url, round, messages, stateDir }: ConsumeRequest): Promise<Consumed> => {
  connecting ??= connect(url, { name: 'bench-consumer' })
  const fabric = await connecting
  if (stateDir !== undefined) await takeCommands(fabric, stateDir)
  const tally = new Tally(messages ?? 0)
  const whole = Promise.withResolvers<number>()
  const processing = await fabric.process(positionsOf(round), { group: 'bench' }, ({ value }) => {
    if (messages === undefined) return
    tally.add(value.sequence, value.agentId)
    if (tally.isWhole) whole.resolve(wallMs())
  })
  processing.done.catch((error: unknown) => whole.reject(error))
  if (messages === undefined) whole.resolve(wallMs())
  const endedAtMs = await whole.promise
  if (messages !== undefined) await processing.stop()
  return { endedAtMs, consumed: tally.count, repeated: tally.repeated, reordered: tally.reordered }
})

async function takeCommands(fabric: Fabric, stateDir: string): Promise<void> {
  const agent = await fabric.join({ id: COMMANDED_AGENT, type: 'bench', region: 'bench', stateDir })
  agent.handle(Turn, async (command) => ({ waitedMs: wallMs() - command.value.sentAtMs }))
}
