import type { ChannelModel } from 'amqplib'
import { SkeinError } from '../../../core/index.ts'
import { Link } from './link.ts'
import { loadAmqplib } from './load-amqplib.ts'
import type { ConnectionLane, RabbitmqBusOptions } from './options.ts'

const HEARTBEAT_SECONDS = 10

/**
 * The connections of one bus. A broker that is short of memory stops reading from whoever publishes, so that what consumes
 * and what publishes must not share one; and a command never waits behind telemetry. Each is made when it is first needed.
 */
export class Links {
  /** Topics, groups and their places. */
  readonly control: Link
  /** Commands and requests. */
  readonly urgent: Link
  readonly bulk: Link
  readonly consume: Link

  private constructor(make: (lane: ConnectionLane) => Link) {
    this.control = make('control')
    this.urgent = make('urgent')
    this.bulk = make('bulk')
    this.consume = make('consume')
  }

  /** Throws `bad-argument` for a URL that is none, `UnsupportedError` where the library is missing. */
  static async create(options: RabbitmqBusOptions): Promise<Links> {
    const { clock, random, onStatus, tls } = options
    const url = urlOf(options)
    const { connect } = await loadAmqplib()
    const socketOptions = { noDelay: true, keepAlive: true, ...tls }
    return new Links((lane) => {
      const clientProperties = { connection_name: `skein ${lane}` }
      const dial = (): Promise<ChannelModel> => connect(url, { ...socketOptions, clientProperties })
      return new Link({ lane, url, dial, clock, random, onStatus })
    })
  }

  async close(): Promise<void> {
    await Promise.all([this.control, this.urgent, this.bulk, this.consume].map((link) => link.close()))
  }
}

function urlOf({ url, heartbeatSeconds = HEARTBEAT_SECONDS }: RabbitmqBusOptions): string {
  const parsed = URL.parse(url)
  if (parsed === null || !/^amqps?:$/.test(parsed.protocol) || parsed.hostname === '') {
    throw new SkeinError(
      'bad-argument',
      'Cannot connect to RabbitMQ: the URL must have the form "amqp://user:password@host:port/vhost", or "amqps://…"',
    )
  }
  if (!parsed.searchParams.has('heartbeat')) parsed.searchParams.set('heartbeat', String(heartbeatSeconds))
  return parsed.href
}
