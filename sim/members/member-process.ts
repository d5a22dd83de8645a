/** One member of a Raft group as a process of its own, with a state machine, clients over TCP and a control channel. */
import { openRaftLog, type RaftLog } from '../../src/consensus/index.ts'
import { systemDisk, systemNetwork, systemRandom } from '../../src/core/system/index.ts'
import { CallServer } from './call-server.ts'
import { FickleDisk } from './fickle-disk.ts'
import { MapMachine } from './map-machine.ts'
import type { Control, MemberReady, MemberSpec, MemberStatus } from './member-spec.ts'
import { Replica } from './replica.ts'
import { ShiftedClock } from './shifted-clock.ts'
import { TallyMachine } from './tally-machine.ts'

const { machine, snapshotBytes, clientPort, disk: kind, ...options }: MemberSpec = JSON.parse(process.argv[2]!)
const clock = new ShiftedClock()
const disk = new FickleDisk(systemDisk())
const log: RaftLog = await openRaftLog({
  ...options,
  clock,
  random: systemRandom,
  network: systemNetwork,
  disk: kind === 'fickle' ? disk : systemDisk(),
})
const replica = new Replica(log, { machine: machine === 'map' ? new MapMachine() : new TallyMachine(), snapshotBytes })
// A member that has failed can do nothing but be started again; whoever watches the process sees it end.
replica.run().catch((error: unknown) => {
  console.error(`member ${options.id}: ${error instanceof Error ? error.stack : error}`)
  process.exit(3)
})
const server = await CallServer.listen(replica, clientPort)

function status(): MemberStatus {
  const { state, term, leader, committedIndex } = log.status()
  return {
    state,
    term,
    leader: leader && Number(leader.id),
    committed: committedIndex,
    durabilities: replica.durabilities,
  }
}

async function obey(control: Control): Promise<unknown> {
  if ('audit' in control) return replica.audit()
  if ('clockOffsetMs' in control) clock.offsetMs = control.clockOffsetMs
  if ('isDiskFull' in control) disk.isFull = control.isDiskFull
  if ('syncDelayMs' in control) disk.syncDelayMs = control.syncDelayMs
  return status()
}

process.on('message', (control: Control) => {
  const { call } = control
  obey(control).then(
    (answer) => process.send!({ call, answer }),
    (error: unknown) => process.send!({ call, failed: String(error) }),
  )
})
// Whoever started it is gone, or wants it gone.
process.on('disconnect', () => process.exit(0))
process.send!({ clientPort: server.port } satisfies MemberReady)
