import { busConformance } from '../../testing/index.ts'
import { EmbeddedWorld } from './embedded-world.ts'

busConformance({ name: 'memory', create: () => EmbeddedWorld.inMemory() })
busConformance({ name: 'embedded', create: () => EmbeddedWorld.onDisk() })
