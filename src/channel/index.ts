export { ANONYMOUS } from './admission/anonymous.ts'
export type { Quota, QuotaRules, Quotas, QuotasOptions } from './admission/quotas.ts'
export { quotas } from './admission/quotas.ts'
export type { Channel, ChannelOptions, KeyField, LargePayloads, PatternFields, StoredOptions } from './channel.ts'
export type { ChannelsOptions, ConsumeOptions, ProcessOptions, StoredChannel, ViewSource } from './channels.ts'
export { Channels } from './channels.ts'
export { checkChannel } from './check-channel.ts'
export type { CommandReceiver, CommandReceiverOptions } from './command/command-receiver.ts'
export { commandReceiver } from './command/command-receiver.ts'
export { BROADCAST } from './command/command-record.ts'
export { CommandRejected } from './command/command-rejected.ts'
export type { CommandSender, CommandSenderOptions, OutcomeOptions, SendOptions } from './command/command-sender.ts'
export { openCommandSender } from './command/command-sender.ts'
export type { CommandDefinition, Overlap } from './command/definition.ts'
export type { CommandHandler, HandlerContext, ReceivedCommand } from './command/handler.ts'
export { InboxInspection } from './command/inbox-inspection.ts'
export type {
  ClaimRequest,
  ClaimResult,
  InboxCallOptions,
  InboxSession,
  InboxStore,
  SettleRequest,
  Unreported,
} from './command/inbox-store.ts'
export type { LocalInbox, LocalInboxOptions } from './command/local-inbox.ts'
export { openLocalInbox } from './command/local-inbox.ts'
export { INBOX_TOPIC } from './command/node-inbox.ts'
export type { CommandServices, CommandServicesOptions } from './command/node-services.ts'
export { openCommandServices } from './command/node-services.ts'
export type { FinalState, Outcome, OutcomeIdentity, OutcomeReason, StoredOutcome } from './command/outcome.ts'
export { OUTCOMES_TOPIC } from './command/outcome-record.ts'
export type { RequestedInboxOptions } from './command/requested-inbox.ts'
export { requestedInbox } from './command/requested-inbox.ts'
export type { CommandTarget, KnownTarget, OutcomesOf } from './command/resolve-target.ts'
export { checkSelector } from './command/resolve-target.ts'
export type { CommandChannel, CommandOptions } from './command.ts'
export { command } from './command.ts'
export type { ConsumedBatch } from './consume/consumed-batch.ts'
export type { Consumption } from './consume/consumption.ts'
export type { DeadLetter, DeadLettersOptions } from './consume/dead-letters.ts'
export type { Listening } from './consume/listening.ts'
export type { HandlerContext as MessageContext, MessageHandler } from './consume/partition-worker.ts'
export type { Processing } from './consume/processing.ts'
export type { ReceivedMessage } from './consume/received-message.ts'
export type { EventChannel, EventOptions } from './event.ts'
export { event } from './event.ts'
export { loweredTopic } from './lowered-topic.ts'
export type { NoticeChannel } from './notice.ts'
export { notice } from './notice.ts'
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
export type { SubjectFields } from './publish/address.ts'
export type { PublishOptions } from './publish/channel-publisher.ts'
export type { PublishReceipt } from './publish/publish-receipt.ts'
export type { QueryChannel, QueryOptions } from './query.ts'
export { query } from './query.ts'
export type { Answerer, AskOptions, Question } from './request/queries.ts'
export type { TelemetryChannel, TelemetryOptions } from './telemetry.ts'
export { telemetry } from './telemetry.ts'
export type { AnyChannel } from './topics-of.ts'
export { topicsOf } from './topics-of.ts'
export type { View, ViewOptions, WaitOptions } from './view/view.ts'
