import type { HostedLog, ProbeReport, Probes } from '../gateway/http/index.ts'
import type { DamageWatch } from './damage-watch.ts'
import type { DiskHealth } from './disk-health.ts'

type Phase = 'starting' | 'running' | 'stopping'

/** Answers the probes of a node. That they are answered at all says that the process lives. */
export class NodeProbes implements Probes {
  #phase: Phase = 'starting'
  /** Undefined on brokers: there is no log of this node's own. */
  readonly #disk: DiskHealth | undefined

  readonly #logs: ReadonlyMap<string, HostedLog>

  readonly #damage: Pick<DamageWatch, 'found'>

  constructor(
    disk: DiskHealth | undefined,
    parts: { readonly logs: ReadonlyMap<string, HostedLog>; readonly damage: Pick<DamageWatch, 'found'> },
  ) {
    this.#disk = disk
    this.#logs = parts.logs
    this.#damage = parts.damage
  }

  enter(phase: 'running' | 'stopping'): void {
    this.#phase = phase
  }

  /** A failed sync needs a restart: only the next start finds out what the disk holds. */
  live(): ProbeReport {
    const log = this.#disk?.syncFailed ? 'poisoned by a failed sync: restart' : 'ok'
    return { ok: log === 'ok', checks: { log } }
  }

  ready(): ProbeReport {
    const checks = {
      node: this.#phase,
      log: this.#disk?.syncFailed ? 'poisoned by a failed sync: restart' : 'ok',
      disk: this.#disk?.full ? 'full: make room' : 'ok',
      ...this.#segments(),
      ...this.#raft(),
    }
    return { ok: checks.node === 'running' && checks.log === 'ok' && checks.disk === 'ok', checks }
  }

  /** Everything else is written and read as before: somebody must know, and the node is ready. */
  #segments(): Readonly<Record<string, string>> {
    const { found } = this.#damage
    const [first] = found
    if (first === undefined) return {}
    const where = `${first.topic}/${first.partition} from offset ${first.firstOffset}`
    return { damage: `${found.length} quarantined, the first in ${where}: ${first.reason}` }
  }

  /** A member that takes part no more is told; the node is ready without it. */
  #raft(): Readonly<Record<string, string>> {
    const told = [...this.#logs].map(([name, { status }]) => [`raft ${name}`, status.failure?.message ?? status.state])
    return Object.fromEntries(told)
  }

  started(): ProbeReport {
    return { ok: this.#phase !== 'starting', checks: { node: this.#phase } }
  }
}
