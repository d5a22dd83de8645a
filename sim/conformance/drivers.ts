import type { StartDriver } from './tested-driver.ts'

const stop = async () => {}

/** What `npm run -s conformance` can name; a broker's driver starts its own server. */
export const DRIVERS: Readonly<Record<string, StartDriver>> = {
  async memory() {
    const { EmbeddedWorld } = await import('./embedded-world.ts')
    return { server: 'in process, on a disk in memory', create: () => EmbeddedWorld.inMemory(), stop }
  },
  async embedded() {
    const { EmbeddedWorld } = await import('./embedded-world.ts')
    return { server: 'in process, on a real disk', create: () => EmbeddedWorld.onDisk(), stop }
  },
  async remote() {
    const { RemoteWorld } = await import('./remote-world.ts')
    return { server: 'a node over a loopback socket, on a real disk', create: () => RemoteWorld.create(), stop }
  },
}
