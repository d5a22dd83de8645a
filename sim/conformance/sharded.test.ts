import { busConformance } from '../../testing/index.ts'
import { GrownWorld } from './sharded-world.ts'

const NUMBERS = 'it names partitions by their numbers, which begin behind those of older generations here'
const SEEKS = 'a group does not go back to a generation that it is done with: docs/guides/sharding.md'

busConformance({
  name: 'grown',
  create: () => GrownWorld.create(),
  skip: {
    'open() creates a topic, and the same spec again is fine': NUMBERS,
    'open() refuses other settings of an existing topic and names the setting':
      'its other number of partitions is one that the topic has had: it is the same topic',
    'describeTopic() gives the settings, the ends and the size': NUMBERS,
    'a key, or a subject without one, always goes to the partition of its hash': NUMBERS,
    'a revocation tells the reader, and waits for what it does': NUMBERS,
    'lag counts what a group has not acknowledged, in messages and in seconds': NUMBERS,
    'after the last attempt a message is dead-lettered with its origin, and its key goes on': NUMBERS,
    'replayed dead letters come back to the group that lost them, once, and to no other': NUMBERS,
    'end() names the end of each partition, where reading can stop': NUMBERS,
    'retention by bytes lets old messages go, and reading them says position-gone or starts later': NUMBERS,
    "with onDead 'block' the partition stops at a dead message": SEEKS,
    'seek() takes a group back to the earliest, on to a position, and past everything': SEEKS,
  },
})
