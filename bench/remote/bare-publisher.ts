import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { position } from './position.ts'
import type { Published } from './publisher.ts'
import { wallMs } from './wall-clock.ts'
import { serveRequests } from './worker.ts'

/** As many values as one batch of the other side holds. */
const BATCH = 2_000
const IN_FLIGHT_BYTES_MAX = 8 * 1024 * 1024

/** JSON, a length, a socket: the least a publisher has to do. */
serveRequests(async ({ port, messages }: { port: number; messages: number }): Promise<Published> => {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.setNoDelay(true)
  socket.write('P')
  // The relay says that the consumer is there too.
  await once(socket, 'data')
  const acknowledgments = new Acknowledgments(socket)
  const startedAtMs = wallMs()
  for (let from = 0; from < messages; from += BATCH) {
    const count = Math.min(BATCH, messages - from)
    const frame = encode(from, count)
    socket.write(frame)
    acknowledgments.sent(frame.length, count)
    await new Promise((resolve) => setImmediate(resolve))
    while (acknowledgments.inFlightBytes > IN_FLIGHT_BYTES_MAX) await acknowledgments.next()
  }
  while (acknowledgments.count < messages) await acknowledgments.next()
  socket.destroy()
  const { count: acknowledged } = acknowledgments
  return { startedAtMs, endedAtMs: wallMs(), published: messages, acknowledged, durability: 'durable' }
})

function encode(from: number, count: number): Buffer {
  let text = ''
  for (let sequence = from; sequence < from + count; sequence += 1) text += `${JSON.stringify(position(sequence))}\n`
  const frame = Buffer.allocUnsafe(4 + text.length)
  frame.writeUInt32BE(text.length, 0)
  frame.write(text, 4, 'latin1')
  return frame
}

/** One byte of the relay acknowledges one frame. */
class Acknowledgments {
  readonly #frames: Array<readonly [bytes: number, count: number]> = []
  #waiting = Promise.withResolvers<void>()
  inFlightBytes = 0
  count = 0

  constructor(socket: Socket) {
    socket.on('data', (bytes) => {
      for (let index = 0; index < bytes.length; index += 1) {
        const [frameBytes, count] = this.#frames.shift()!
        this.inFlightBytes -= frameBytes
        this.count += count
      }
      this.#waiting.resolve()
    })
  }

  sent(bytes: number, count: number): void {
    this.#frames.push([bytes, count])
    this.inFlightBytes += bytes
  }

  async next(): Promise<void> {
    this.#waiting = Promise.withResolvers<void>()
    await this.#waiting.promise
  }
}
