import { UnsupportedError } from '../../../core/index.ts'

type Amqplib = typeof import('amqplib')

/** The client library, loaded when the first connection is made. Throws `UnsupportedError` with the command that installs it. */
export async function loadAmqplib(): Promise<Amqplib> {
  try {
    return await import('amqplib')
  } catch (cause) {
    const error = new UnsupportedError('RabbitMQ', 'its client library is not installed; run "npm install amqplib@2"')
    error.cause = cause
    throw error
  }
}
