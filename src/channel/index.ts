export type {
  CommandHandler,
  CommandReceiver,
  CommandReceiverOptions,
  HandlerContext,
  ReceivedCommand,
} from './command/command-receiver.ts'
export { commandReceiver } from './command/command-receiver.ts'
export { CommandRejected } from './command/command-rejected.ts'
export type { CommandSender, CommandSenderOptions, CommandTarget, SendOptions } from './command/command-sender.ts'
export { openCommandSender } from './command/command-sender.ts'
export type { CommandCodec, CommandDefinition, Overlap } from './command/definition.ts'
export type {
  ClaimRequest,
  ClaimResult,
  InboxCallOptions,
  InboxSession,
  InboxStore,
  SettleRequest,
  Unreported,
} from './command/inbox-store.ts'
export type { LocalInboxOptions } from './command/local-inbox.ts'
export { openLocalInbox } from './command/local-inbox.ts'
export type { CommandServices, CommandServicesOptions } from './command/node-services.ts'
export { openCommandServices } from './command/node-services.ts'
export type { FinalState, Outcome, OutcomeIdentity, OutcomeReason, StoredOutcome } from './command/outcome.ts'
export type { RequestedInboxOptions } from './command/requested-inbox.ts'
export { requestedInbox } from './command/requested-inbox.ts'
export type {
  Admission,
  AdmissionRequest,
  AgentIdentity,
  AgentRecord,
  AgentSelector,
  Lease,
  Liveness,
  NodeTime,
  Roster,
} from './ports.ts'
