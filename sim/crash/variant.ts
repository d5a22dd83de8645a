export interface CrashOptions {
  /** How many times the world is broken. Undefined: as many as the variant's bar asks for. */
  readonly rounds: number | undefined
  readonly seed: number
  /** Which broker, for the variants of brokers. */
  readonly driver?: string
  /** Of that broker. Default 1. */
  readonly nodes?: number
  /** Less load than the bar asks for, for the small runs among the tests. */
  readonly ackedPerRound?: number
  /** Tells a waiting person how far it is; never part of the report. */
  progress(text: string): void
}

/** One way of breaking the machine under the log: a module in this folder exports these two. */
export interface CrashVariant<Report extends object = object> {
  run(options: CrashOptions): Promise<Report>
  /** What the report falls short of, one sentence each; empty when every bar is met. */
  shortfalls(report: Report, options: CrashOptions): string[]
}
