import type { Server } from 'node:net'

/** Resolves when the server listens at this path. Rejects with what the system says, such as `EADDRINUSE`. */
export function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ path }, () => {
      server.removeListener('error', reject)
      resolve()
    })
  })
}
