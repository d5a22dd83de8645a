/** The bounds and rules that a group was told to keep. */
export interface InvariantLimits {
  readonly electionTicks: number
  readonly preVote: boolean
  readonly checkQuorum: boolean
  readonly inflightMessagesMax: number
  readonly inflightBytesMax: number
  readonly messageBytesMax: number
  readonly uncommittedBytesMax: number
}
