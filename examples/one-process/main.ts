// A drone and its controller in one process, with nothing installed. Another target runs the same code elsewhere:
//   node examples/one-process/main.ts embedded:./data
//   node examples/one-process/main.ts skein://127.0.0.1:7600
import { once } from 'node:events'
import { connect, contract } from 'skein'
import * as declarations from './contract.ts'
import { Alert, Battery, Land, MoveTo, Position, Sighting } from './contract.ts'

const target = process.argv[2] ?? 'memory:'
// What is in memory survives nothing, and a command asks to be safe: whoever runs it there says that this is fine.
await using fabric = await connect(target, {
  contract: contract(declarations),
  ...(target === 'memory:' && { safe: 'none' }),
})

// The drone.
const drone = await fabric.join({ id: 'drone-7', type: 'quadrotor', region: 'north' })
drone.handle(MoveTo, async (order, { signal }) => {
  if (order.value.latitude > 80) await once(signal, 'abort') // far away: under way until something replaces it
  return { arrivedAt: order.value }
})
drone.handle(Land, () => undefined)
await drone.answer(Battery, () => ({ percent: 81 }))

// The controller.
const seen = Promise.withResolvers<void>()
await fabric.process(Position, { group: 'map' }, ({ value, subject }) => {
  console.log(`position ${subject} ${value.latitude} ${value.longitude}`)
  seen.resolve()
})
const alerted = Promise.withResolvers<void>()
await fabric.listen(Alert, ({ value }) => {
  console.log(`alert ${value.text}`)
  alerted.resolve()
})

const receipt = await drone.publish(Position, { latitude: 47.4, longitude: 8.5 })
await seen.promise
console.log(`published with durability ${receipt.durability}`)

const arrived = await fabric.send(MoveTo, 'drone-7', { latitude: 47.5, longitude: 8.6 })
if (arrived.state === 'done') console.log(`arrived at ${arrived.reply.arrivedAt.latitude}`)

const far = fabric.send(MoveTo, 'drone-7', { latitude: 89, longitude: 0 })
const near = await fabric.send(MoveTo, 'drone-7', { latitude: 47.6, longitude: 8.6 })
const replaced = await far
if (replaced.state !== 'done')
  console.log(`the far order ${replaced.state}: ${replaced.reason}, the near one ${near.state}`)

const [landed] = await fabric.send(Land, { type: 'quadrotor', region: 'north' }, {})
console.log(`landing ${landed?.state}`)

await drone.append(Sighting, { targetId: 'fox-1', confidence: 0.9 })
for await (const batch of await fabric.consume(Sighting, { group: 'archive' })) {
  for (const { value } of batch) console.log(`sighting ${value.targetId}`)
  break
}

console.log(`battery ${(await fabric.ask(Battery, {}, { fields: { agentId: 'drone-7' } })).percent} %`)
fabric.notify(Alert, { text: 'storm from the west' })
await alerted.promise

for (const agent of await fabric.roster()) console.log(`${agent.id} is ${agent.liveness} in ${agent.region}`)
