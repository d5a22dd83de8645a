/**
 * Handles every report and writes each into a ledger of its own, in the order in which it was given them. Now and then
 * it fails at one: that one is retried, and what its agent reported later must wait for it. With
 * `pauseMs` it is the slow one, which handles one report at a time and falls behind without harming anybody; asked to
 * finish, it hurries through what it has in hand.
 */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TelemetryChannel } from '../../src/fabric/index.ts'
import { Frame, Health, Position } from './contract.ts'
import type { ConsumedLine } from './history.ts'
import { Ledger } from './ledger.ts'
import { leave, takeRole } from './role.ts'

const LAG_EVERY_MS = 50
/** Of one agent's reports on one channel. */
const FAILS_EVERY = 40

const role = takeRole()
const { folder, group = '', pauseMs = '0' } = role.arguments
const fabric = await role.connect()
const ledger = new Ledger(join(folder, `${group}.consumed`))
const isSlow = Number(pauseMs) > 0
let isFinishing = false
const topics = isSlow ? [Position.topic] : [Position.topic, Health.topic, Frame.topic]

async function follow<Report extends { epoch: number; count: number }>(
  channel: TelemetryChannel<Report>,
): Promise<void> {
  await fabric.process(channel, { group }, (message) => {
    const isFailing = !isSlow && !isFinishing && message.attempt === 1 && message.value.count % FAILS_EVERY === 0
    if (isFailing) throw new Error('Cannot handle this report at the first attempt')
    const line: ConsumedLine = {
      agentId: channel.subject.parse(message.subject)!.agentId!,
      epoch: message.value.epoch,
      channel: channel.type,
      count: message.value.count,
      topic: channel.topic,
      partition: message.position.partition,
      sequence: message.position.sequence,
    }
    ledger.write(line)
    return isSlow && !isFinishing ? sleep(Number(pauseMs)) : undefined
  })
}

await follow(Position)
if (!isSlow) await Promise.all([follow(Health), follow(Frame)])
role.ready()
await role.finish
isFinishing = true
if (!isSlow) await caughtUp()
await fabric.drain()
leave()

/** Everything that the topics hold has been acknowledged by this group. */
async function caughtUp(): Promise<void> {
  for (const topic of topics) {
    while ((await fabric.bus.admin.lag(topic, group)).some((lag) => lag.messages > 0)) await sleep(LAG_EVERY_MS)
  }
}
