/** Every kind of fault that the simulator knows. A run over many seeds must have had each. */
export const FAULT_KINDS = [
  'network-loss',
  'network-duplication',
  'network-reordering',
  'network-clog',
  'network-queue-full',
  'partition-symmetric',
  'partition-one-way',
  'partition-bridge',
  'partition-isolate-one',
  'disk-latency',
  'disk-lost-unsynced',
  'disk-torn-write',
  'disk-read-corruption',
  'disk-write-corruption',
  'disk-misdirected-write',
  'disk-sync-error',
  'disk-full',
  'process-crash',
  'process-pause',
  'process-empty-disk-restart',
  'process-upgrade',
  'clock-skew',
  'clock-jump',
  'membership-learner-added',
  'membership-promoted',
  'membership-demoted',
  'membership-removed',
  'membership-joint',
  'snapshot-forced',
  'log-purged',
  'leadership-transfer',
] as const

export type FaultKind = (typeof FAULT_KINDS)[number]

/** Counts what happened. */
export class Tally {
  readonly faults = new Map<FaultKind, number>()
  acked = 0
  reads = 0
  snapshotsInstalled = 0
  configChanges = 0

  count(kind: FaultKind): void {
    this.faults.set(kind, (this.faults.get(kind) ?? 0) + 1)
  }
}
