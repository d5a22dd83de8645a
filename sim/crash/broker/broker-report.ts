export interface BrokerReport {
  readonly driver: string
  readonly server: string
  readonly nodes: number
  readonly durability: string
  readonly rounds: number
  /** Of the broker, or one of its nodes, and of clients. */
  readonly kills: number
  readonly acked: number
  readonly lost: number
  readonly reordered: number
  /** Messages that were given again. */
  readonly duplicates: number
  readonly duplicateEffects: number
}
