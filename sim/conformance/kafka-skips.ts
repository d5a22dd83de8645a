/** A broker that is killed and started again takes its time. */
export const KAFKA_CASE_MS = 120_000

/** Cases that Kafka cannot be asked, each with the reason. */
export const KAFKA_SKIPS: Readonly<Record<string, string>> = {}
