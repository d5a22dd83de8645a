import type { Bus, TopicSpec } from '../../../src/bus/index.ts'
import type { Service } from '../../../test/services/service.ts'

/** What the run of a crash needs to know of one broker: a module in `worlds/` exports one. */
export interface CrashWorld {
  /** Of `test/services/`. */
  readonly service: string
  /** What a server of the run is started with, beside the number of nodes. */
  readonly settings?: Readonly<Record<string, string>>
  /** Connects; used in the processes of the run as well. */
  connect(urls: readonly string[]): Promise<Bus>
  /** The topic of the run, for a broker of so many nodes. */
  topic(nodes: number): TopicSpec
  /** Rejects while some copy of the run's data is missing on a node. */
  whole(service: Service): Promise<void>
}
