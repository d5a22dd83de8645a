import { until } from '../../test/until.ts'
import { wallMs } from '../remote/wall-clock.ts'
import type { Load } from './load.ts'
import type { OurGroup } from './our-group.ts'

/** SIGKILL to the leader under load, again and again: how long after each until another leader acknowledges, ms. */
export async function measureFailover(
  group: OurGroup,
  load: Load,
  wanted: { readonly kills: number; readonly inFlight: number },
): Promise<readonly number[]> {
  await load.start(group, wanted.inFlight)
  const gapsMs: number[] = []
  while (gapsMs.length < wanted.kills) {
    const leader = await group.settled()
    const killedAtMs = wallMs()
    await leader.kill()
    let nextAtMs = Number.POSITIVE_INFINITY
    const isServed = async () => {
      const firsts = await load.firsts()
      const next = firsts.filter(({ target, atMs }) => target !== leader.id && atMs > killedAtMs)
      nextAtMs = Math.min(...next.map(({ atMs }) => atMs))
      return next.length > 0
    }
    await until(isServed, { withinMs: 60_000, everyMs: 10 })
    gapsMs.push(nextAtMs - killedAtMs)
    process.stderr.write(`kill ${gapsMs.length} of ${wanted.kills}: ${Math.round(nextAtMs - killedAtMs)} ms\n`)
    await group.restart(leader)
  }
  await load.stop()
  return gapsMs
}
