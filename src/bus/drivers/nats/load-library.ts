import { SkeinError } from '../../../core/index.ts'

export type NatsLibrary = typeof import('@nats-io/transport-node')

/** Loads the client library when the first bus needs it. Rejects with `unsupported` saying how to install it. */
export async function loadNatsLibrary(
  load: () => Promise<NatsLibrary> = () => import('@nats-io/transport-node'),
): Promise<NatsLibrary> {
  try {
    return await load()
  } catch (cause) {
    throw new SkeinError(
      'unsupported',
      'Cannot connect to NATS: the package @nats-io/transport-node is not installed; run "npm install @nats-io/transport-node"',
      { cause },
    )
  }
}
