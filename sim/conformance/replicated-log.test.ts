import { replicatedLogConformance } from '../../testing/index.ts'
import { EmbeddedWorld } from './embedded-world.ts'
import { ReplicatedEmbeddedWorld } from './replicated-embedded-world.ts'
import { ReplicatedRaftWorld } from './replicated-raft-world.ts'
import { ReplicatedSequencedWorld } from './replicated-sequenced-world.ts'

replicatedLogConformance({ name: 'raft', create: () => ReplicatedRaftWorld.create() })
replicatedLogConformance({ name: 'embedded', create: () => ReplicatedEmbeddedWorld.create() })
replicatedLogConformance({
  name: 'sequenced',
  create: async () => ReplicatedSequencedWorld.create(await EmbeddedWorld.onDisk()),
})
