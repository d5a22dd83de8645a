export { connectKafkaBus, KafkaBus } from './kafka-bus.ts'
export type { KafkaBusOptions, KafkaSasl, KafkaStatus } from './options.ts'
export { kafkaCapabilities } from './topic/kafka-capabilities.ts'
