import type { Bus } from '../../../src/bus/index.ts'
import { crashWorld } from '../broker/worlds.ts'

/** What the processes of a run are told. */
export interface BridgeRunArguments {
  /** Drivers of source and target. */
  readonly from: string
  readonly to: string
  readonly fromUrl: string
  readonly toUrl: string
  readonly folder: string
  readonly url: string
  readonly [name: string]: string
}

export const TOPIC = 'crash.bridged'
export const BRIDGE = 'crash'

export async function connectEnd(driver: string, url: string): Promise<Bus> {
  return (await crashWorld(driver)).connect([url])
}
