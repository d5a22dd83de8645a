export type {
  Admission,
  AgentRecord,
  AgentSelector,
  AnyChannel,
  CommandChannel,
  CommandTarget,
  ConsumedBatch,
  Consumption,
  EventChannel,
  Listening,
  NoticeChannel,
  Outcome,
  Processing,
  PublishReceipt,
  QueryChannel,
  Question,
  ReceivedCommand,
  ReceivedMessage,
  TelemetryChannel,
  View,
} from '../channel/index.ts'
export { CommandRejected, command, event, notice, query, quotas, telemetry } from '../channel/index.ts'
export type { ErrorCode } from '../core/index.ts'
export { SkeinError, UnsupportedError } from '../core/index.ts'
export type { Codec } from '../schema/index.ts'
export { jsonSchema, rawBytes } from '../schema/index.ts'
export type { AgentChange, AgentDescription, SwarmEvent } from '../swarm/index.ts'
export { SwarmEvents } from '../swarm/index.ts'
export type { ArchiveStatus, BridgeStatus } from '../transfer/index.ts'
export type { ArchivePlaceSpec, ArchiveSpec } from './archives/archive-spec.ts'
export { openArchiveStore } from './archives/open-archive-store.ts'
export { openArchives } from './archives/open-archives.ts'
export { restoreFrom } from './archives/restore-from.ts'
export type { AsyncApiInfo } from './asyncapi.ts'
export { asyncApi } from './asyncapi.ts'
export type { Binding, Bindings, BrokerSettings, SaslSettings, TlsSettings } from './binding/binding.ts'
export { openBoundBus } from './binding/open-bound-bus.ts'
export { resolveSecret } from './binding/secret-reference.ts'
export type { BridgeSpec } from './bridges/bridge-spec.ts'
export { openBridges } from './bridges/open-bridges.ts'
export type { ConfigSources } from './config/config.ts'
export { readConfig } from './config/config.ts'
export type { NodeConfig } from './config/config-schema.ts'
export { bindingOf } from './config/config-schema.ts'
export type { ConfigFile } from './config/configured-target.ts'
export type { RaftConfig } from './config/raft-schema.ts'
export type { ConnectOptions } from './connect.ts'
export { connect } from './connect.ts'
export type { ChannelsByName, ChannelsOf, Contract } from './contract.ts'
export { contract } from './contract.ts'
export { Fabric } from './fabric.ts'
export { FabricAgent } from './fabric-agent.ts'
export type { NodeServicesOptions } from './host-node-services.ts'
export { hostNodeServices, NodeServices } from './host-node-services.ts'
export type { JoinOptions } from './join-agent.ts'
export type { Together } from './together.ts'
