export type {
  Admission,
  AdmissionRequest,
  AgentIdentity,
  AgentRecord,
  AgentSelector,
  Liveness,
  NodeTime,
  Roster,
} from './ports.ts'
