import type { Service } from '../../test/services/service.ts'

export interface DriverRun {
  readonly ms: number
  readonly durability: string
}

/** One driver beside its raw client, used as well as it can be: both validate, encode, send, and have everything read back. */
export interface DriverBench {
  /** Of `test/services/`. */
  readonly service: string
  readonly messages: number
  /** Ours against raw, in messages per second. */
  readonly ratioMin: number
  /** `name` is new for each run. */
  ours(service: Service, run: { readonly name: string; readonly messages: number }): Promise<DriverRun>
  raw(service: Service, run: { readonly name: string; readonly messages: number }): Promise<DriverRun>
}
