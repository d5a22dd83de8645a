import type { CrashWorld } from './crash-world.ts'

/** By the driver's name. */
const WORLDS: Readonly<Record<string, () => Promise<CrashWorld>>> = {
  jetstream: async () => (await import('./worlds/jetstream.ts')).jetstreamWorld,
  kafka: async () => (await import('./worlds/kafka.ts')).kafkaWorld,
  rabbitmq: async () => (await import('./worlds/rabbitmq.ts')).rabbitmqWorld,
}

export const CRASH_DRIVERS: readonly string[] = Object.keys(WORLDS)

export function crashWorld(driver: string): Promise<CrashWorld> {
  const open = WORLDS[driver]
  if (open !== undefined) return open()
  throw new Error(`There is no crash run of "${driver}": there are ${CRASH_DRIVERS.join(', ')}`)
}
