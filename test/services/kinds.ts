import { etcdKind } from './etcd.ts'
import { kafkaKind } from './kafka.ts'
import { natsKind } from './nats.ts'
import { rabbitmqKind } from './rabbitmq.ts'
import { redisKind } from './redis.ts'
import type { ServiceKind } from './service.ts'
import { versitygwKind } from './versitygw.ts'

/** Every kind of server that tests and benchmarks can ask for. A new one is a file beside this and a line here. */
export const SERVICE_KINDS: readonly ServiceKind[] = [
  etcdKind,
  kafkaKind,
  natsKind,
  rabbitmqKind,
  redisKind,
  versitygwKind,
]

export function serviceKind(name: string): ServiceKind {
  const found = SERVICE_KINDS.find((kind) => kind.name === name)
  if (found !== undefined) return found
  throw new Error(`There is no service "${name}": there are ${SERVICE_KINDS.map((kind) => kind.name).join(', ')}`)
}
