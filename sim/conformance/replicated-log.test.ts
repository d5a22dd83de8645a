import { replicatedLogConformance } from '../../testing/index.ts'
import { ReplicatedEmbeddedWorld } from './replicated-embedded-world.ts'
import { ReplicatedRaftWorld } from './replicated-raft-world.ts'

replicatedLogConformance({ name: 'raft', create: () => ReplicatedRaftWorld.create() })
replicatedLogConformance({ name: 'embedded', create: () => ReplicatedEmbeddedWorld.create() })
