export { KafkaBus, openKafkaBus } from './kafka-bus.ts'
export type { KafkaBusOptions, KafkaSasl, KafkaStatus } from './options.ts'
