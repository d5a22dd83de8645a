import type { Bus, RawAccess } from '../../bus/index.ts'
import type { Quotas } from '../../channel/index.ts'
import type { BufferPool, Clock } from '../../core/index.ts'
import type { Precedence, Session } from '../../wire/index.ts'
import type { Authorise } from './access.ts'

/** What the handlers of one connection's calls work with. */
export interface ConnectionContext {
  readonly connectionId: string
  readonly principal: string | undefined
  readonly bus: Bus & RawAccess
  readonly clock: Clock
  readonly session: Session
  readonly precedence: Precedence
  /** Where the memory of written bodies goes back to. */
  readonly pool: BufferPool
  readonly authorise: Authorise | undefined
  /** Of whatever the client publishes and asks. */
  readonly admission: Quotas | undefined
  /** Who has joined over this client, by what the node heard last. */
  readonly agents: () => ReadonlySet<string> | undefined
  readonly readersMax: number
}
