import { replicatedLogConformance } from '../../testing/index.ts'
import { ReplicatedRaftWorld } from './replicated-raft-world.ts'

replicatedLogConformance({ name: 'raft', create: () => ReplicatedRaftWorld.create() })
