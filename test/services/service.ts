/** One server process, or container, of a running service. */
export interface ServiceNode {
  readonly url: string
  /** Where the node tells of its state over HTTP, where its kind does. */
  readonly monitorUrl?: string
  /** Undefined while it is down. */
  readonly pid: number | undefined
  readonly directory: string
  /** Of the node and all it started. Default SIGKILL. Resolves when the process is gone; fine when it is down already. */
  kill(signal?: NodeJS.Signals): Promise<void>
  /** On the port and with the data it had; resolves when it answers. */
  start(): Promise<void>
  /** Deletes the data of a node that is down: what starts next is an empty one in its place. */
  erase(): Promise<void>
}

/** A broker or store that is running. */
export interface Service {
  readonly name: string
  /** As the server says it. */
  readonly version: string
  /** `url`: given, and not ours to stop or kill: it has no nodes. */
  readonly origin: 'url' | 'docker' | 'machine'
  /** Of the first node. */
  readonly url: string
  readonly urls: readonly string[]
  readonly nodes: readonly ServiceNode[]
  /** Ends the servers this call's maker started, and deletes their data. Idempotent. */
  stop(): Promise<void>
}

export interface ServiceOptions {
  /** Default 1. */
  readonly nodes?: number
  /** The caller kills or restarts nodes: a server given by URL is passed over. Default false. */
  readonly mortal?: boolean
  /** What only this kind understands; its file says what. */
  readonly settings?: Readonly<Record<string, string>>
}

/** Says why a service cannot be had here. */
export class ServiceUnavailable extends Error {
  override readonly name = 'ServiceUnavailable'
}

/** How one kind of server is found, fetched and started: one file per kind, named in `kinds.ts`. */
export interface ServiceKind {
  readonly name: string
  /** The environment variable that gives a running one: `SKEIN_NATS_URL`. */
  readonly urlVariable: string
  /** Where `compose.yaml` has it: the variable of its published port, and how its URL is made from that port. */
  readonly compose?: { readonly portVariable: string; readonly url: (port: number) => string }
  /**
   * What this machine has, or can fetch into the cache without being root. Rejects with `ServiceUnavailable`. The result is
   * handed to `plan`: mostly the path of a program, or of the folder of its jars.
   */
  install(tools: InstallTools): Promise<string>
  /** Lays out directories and configuration of every node; starts nothing. */
  plan(request: PlanRequest): Promise<readonly NodePlan[]>
  /** The version of the server behind a URL; rejects while it is not ready to serve. */
  version(url: string): Promise<string>
}

export interface InstallTools {
  /** Below the user's cache, not in the clone. */
  readonly cacheDirectory: string
  /** A line for whoever waits. */
  readonly say: (text: string) => void
}

export interface PlanRequest {
  readonly installed: string
  readonly nodes: number
  /** Empty, and removed with the service. */
  readonly directory: string
  readonly settings: Readonly<Record<string, string>>
}

export interface NodePlan {
  readonly url: string
  readonly monitorUrl?: string
  readonly directory: string
  readonly command: string
  readonly args: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  /** Before each start, for a directory that may be empty or not: formatting a disk, writing a cookie. */
  readonly prepare?: () => Promise<void>
  /** Rejects while the node is not ready. Default: the kind's `version(url)`. */
  readonly ready?: () => Promise<void>
  /** How long a start may take. Default 60,000. */
  readonly readyWithinMs?: number
}
