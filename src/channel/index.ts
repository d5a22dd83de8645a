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
