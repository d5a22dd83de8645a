/** A broker that is killed and started again takes its time. */
export const RABBITMQ_CASE_MS = 120_000

/** Cases that RabbitMQ cannot be asked, each with the reason. */
export const RABBITMQ_SKIPS: Readonly<Record<string, string>> = {
  'a receipt gives the last position of its batch in each partition':
    'a publisher confirm of AMQP 0-9-1 does not say at which offset of the stream a message was stored: receipts have no positions',
  'describeTopic() gives the settings, the ends and the size':
    'AMQP 0-9-1 does not tell how many bytes a stream has: the size is given as 0',
}
