import type { TestContext } from 'node:test'
import Type from 'typebox'
import { systemClock, systemDisk, systemNetwork, systemRandom } from '../../../src/core/system/index.ts'
import {
  type Bindings,
  command,
  connect,
  contract,
  event,
  type Fabric,
  notice,
  query,
  readConfig,
  telemetry,
} from '../../../src/fabric/index.ts'
import { startNode } from '../../../src/node/index.ts'
import type { Service } from '../../services/service.ts'

/** The contract that every binding of these tests carries unchanged. */
export const Position = telemetry('swarm.telemetry.{region}.{agentId}', {
  schema: Type.Object({ count: Type.Integer() }),
  key: 'agentId',
  partitions: 2,
})
export const Sighting = event('swarm.events.sighting', {
  schema: Type.Object({ target: Type.String() }),
  key: 'target',
})
export const MoveTo = command('swarm.commands.{agentId}.move-to', {
  schema: Type.Object({ to: Type.Integer() }),
  reply: Type.Object({ at: Type.Integer() }),
  startWithinMs: 30_000,
  overlap: 'queue',
  partitions: 2,
})
export const Land = command('swarm.commands.{agentId}.land', {
  schema: Type.Object({}),
  startWithinMs: 1_500,
  overlap: 'replace',
  partitions: 2,
})
export const Alert = notice('swarm.alerts', { schema: Type.Object({ text: Type.String() }) })
export const Battery = query('swarm.queries.battery', {
  schema: Type.Object({}),
  reply: Type.Object({ percent: Type.Number() }),
  timeoutMs: 5_000,
})
export const CONTRACT = contract({ Position, Sighting, MoveTo, Land, Alert, Battery })

export interface BoundSwarm {
  /** The node's HTTP. */
  readonly url: string
  /** Another client of the brokers, with the contract opened. */
  connect(): Promise<Fabric>
}

/** A node on brokers, one server each, and the way for clients to connect beside it. Both end with the test. */
export async function boundSwarm(
  t: TestContext,
  services: readonly Service[],
  bind: Bindings = {},
): Promise<BoundSwarm> {
  const brokers = Object.fromEntries(services.map(({ name, url }) => [name, { url, safe: 'written' as const }]))
  const config = readConfig({
    file: { name: 'skein.yaml', text: JSON.stringify({ brokers, bind }) },
    flags: { 'listen.port': 0 },
  })
  const ignore = () => {}
  const log = { debug: ignore, info: ignore, warn: ignore, error: ignore }
  const machine = { clock: systemClock, random: systemRandom, disk: systemDisk() }
  const node = await startNode(config, { ...machine, network: systemNetwork, log })
  const fabrics: Fabric[] = []
  t.after(async () => {
    await Promise.all(fabrics.map((fabric) => fabric.close()))
    await node.close()
  })
  return {
    url: node.url,
    async connect() {
      const fabric = await connect({ brokers, bind }, { contract: CONTRACT, onError: ignore })
      fabrics.push(fabric)
      return fabric
    },
  }
}
