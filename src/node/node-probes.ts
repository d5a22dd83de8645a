import type { ProbeReport, Probes } from '../gateway/http/index.ts'
import type { DiskHealth } from './disk-health.ts'

type Phase = 'starting' | 'running' | 'stopping'

/** Answers the probes of a node. That they are answered at all says that the process lives. */
export class NodeProbes implements Probes {
  #phase: Phase = 'starting'
  /** Undefined on brokers: there is no log of this node's own. */
  readonly #disk: DiskHealth | undefined

  constructor(disk: DiskHealth | undefined) {
    this.#disk = disk
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
    }
    return { ok: checks.node === 'running' && checks.log === 'ok' && checks.disk === 'ok', checks }
  }

  started(): ProbeReport {
    return { ok: this.#phase !== 'starting', checks: { node: this.#phase } }
  }
}
