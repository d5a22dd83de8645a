import type { Bus, Capabilities, Durability, Support, TopicSpec } from '../../src/bus/index.ts'

/** A bus to be tested, made anew for each case and closed after it. */
export interface BusWorld {
  readonly bus: Bus
  /** The best level that a topic of this bus grants. */
  readonly durability: Durability
  /** What the suite's topic is opened with where a case does not say otherwise: `ephemeral` storage, for a bus that keeps nothing. */
  readonly topic?: Partial<TopicSpec>
  /** Default: what a bus in this process needs. */
  readonly patience?: Patience
  /**
   * Ends whatever holds the messages and begins it again on what it had stored: after a `drain`, or as if it had been
   * killed. Readers and writers from before are dead; the bus to go on with comes back, and is `bus` from then on.
   */
  restart(how: 'drain' | 'kill'): Promise<Bus>
  /**
   * Breaks the connection to the broker, where there is one; readers and writers survive. `silence`: nothing passes any more,
   * and nobody is told. Default `reset`.
   */
  disrupt(how?: 'reset' | 'silence'): Promise<void>
  /** Kills the broker and starts it again on what it had stored, where there is one; readers and writers survive. */
  bounce?(): Promise<void>
  /** From now on the connection to the broker is so slow, where there is one. */
  slow?(link: { readonly latencyMs?: number; readonly bytesPerSecond?: number }): void
  close(): Promise<void>
}

export interface Patience {
  /** How long a case waits for something that must come. */
  readonly comesWithinMs: number
  /** How long a case watches that something does not come. */
  readonly quietMs: number
}

/** Capabilities that are there or not. */
export type Feature = {
  [K in keyof Capabilities]: Capabilities[K] extends Support ? K : never
}[keyof Capabilities]

/** One thing that every driver does the same way. */
export interface BusCase {
  readonly name: string
  /** Where a driver declares `none` for one of these, refusing it with `UnsupportedError` is the pass. */
  readonly needs: readonly Feature[]
  readonly run: (world: BusWorld) => Promise<void>
}
