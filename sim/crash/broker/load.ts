/** What writer, consumer and auditor agree on. */
export const KEYS = Array.from({ length: 16 }, (_, index) => `key-${index}`)
export const GROUP = 'crash'

/** Files in the run's folder: lines of `key sequence`, appended before anything depends on them. */
export const ACKED_FILE = 'acked'
export const EFFECTS_FILE = 'effects'
export const REPEATS_FILE = 'repeats'

/** What a process of the run is told. */
export interface ProcessArguments {
  readonly driver: string
  /** Separated by commas. */
  readonly urls: string
  readonly folder: string
  readonly topic: string
  readonly [name: string]: string
}
