import { busConformance } from '../../testing/index.ts'
import { RemoteWorld } from './remote-world.ts'

busConformance({ name: 'remote', create: () => RemoteWorld.create() })
