/** Sends commands: some to be done, some that must expire, some that replace a running one, some while an agent is down. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Outcome } from '../../src/fabric/index.ts'
import { Capture, Inspect, MoveTo, Plan, Survey } from './contract.ts'
import { FLEET, KILLED_AGENT, SLOW_AGENT } from './fleet.ts'
import { ifReachable } from './if-reachable.ts'
import { Ledger } from './ledger.ts'
import { leave, takeRole } from './role.ts'

const role = takeRole()
const { folder } = role.arguments
const fabric = await role.connect()
/** What the sender was told: compared with the log's own word, never counted instead of it. */
const ledger = new Ledger(join(folder, 'controller.outcomes'))
const waiting = new Set<Promise<void>>()
let sending = true
/** What is being sent on its parent's word. */
let sent = Promise.resolve()

function note(sent: Promise<Outcome<unknown>>): void {
  const noted = ifReachable(sent).then((outcome) => {
    waiting.delete(noted)
    if (outcome === undefined) return
    const { intentId, agentId, state } = outcome
    ledger.write({ intentId, agentId, state, reason: outcome.state === 'done' ? undefined : outcome.reason })
  })
  waiting.add(noted)
}

function anyOf(type: string): string {
  const own = FLEET.filter((agent) => agent.type === type)
  return own[Math.floor(Math.random() * own.length)]!.id
}

function somewhere(): { latitude: number; longitude: number } {
  return { latitude: 46 + Math.random(), longitude: 8 + Math.random() }
}

const SCENES: ReadonlyArray<() => void | Promise<void>> = [
  () => note(fabric.send(MoveTo, anyOf('quadrotor'), somewhere())),
  () => note(fabric.send(Capture, anyOf('camera'), { exposureMs: 40 + Math.random() * 100 })),
  () => note(fabric.send(Plan, anyOf('planner-bot'), { goal: `goal-${Math.ceil(Math.random() * 9)}` })),
  () => note(fabric.send(Inspect, Math.random() < 0.5 ? 'rover-1' : 'rover-2', { object: 'beacon' })),
  () => note(fabric.send(Survey, KILLED_AGENT, { area: 'ridge' })),
  // The second order overtakes the flight that the first has begun.
  async () => {
    const drone = anyOf('quadrotor')
    note(fabric.send(MoveTo, drone, somewhere()))
    await sleep(150)
    note(fabric.send(MoveTo, drone, somewhere()))
  },
  // More than the slow rover can begin in time.
  () => {
    for (const object of ['mast', 'fence', 'gate']) note(fabric.send(Inspect, SLOW_AGENT, { object }))
  },
]

/** As far as can be known here: while the roster cannot be read, nothing is. */
async function isStillAlive(agentId: string): Promise<boolean> {
  const agent = await ifReachable(fabric.agent(agentId))
  return agent === undefined || agent.liveness === 'alive'
}

/** While the agent is away: what can wait is held for it, what cannot must expire. */
async function sendToWhoIsAway(): Promise<void> {
  // Until the node has noticed, a command is addressed to the incarnation that is gone, and rightly refused as stale.
  while (await isStillAlive(KILLED_AGENT)) await sleep(20)
  for (const area of ['valley', 'river']) note(fabric.send(Survey, KILLED_AGENT, { area }))
  note(fabric.send(Inspect, KILLED_AGENT, { object: 'never reached in time' }))
}

role.onWord('agent-down', () => {
  sent = sent.then(sendToWhoIsAway).then(() => role.say('sent-while-away'))
})
role.onWord('stop-sending', () => {
  sending = false
})

role.ready()
const finished = role.finish
for (let scene = 0; sending; scene += 1) {
  await SCENES[scene % SCENES.length]!()
  await sleep(60 + Math.random() * 60)
}
await sent
await Promise.all(waiting)
await finished
await fabric.drain()
leave()
