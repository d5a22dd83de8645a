import { connect } from 'node:net'
import { FrameReader } from './bare-frames.ts'
import type { Consumed } from './consumer.ts'
import type { Position } from './position.ts'
import { Tally } from './tally.ts'
import { wallMs } from './wall-clock.ts'
import { serveRequests } from './worker.ts'

/** Parses and counts: the least a consumer has to do. */
serveRequests(async ({ port, messages }: { port: number; messages: number }): Promise<Consumed> => {
  const socket = connect(port, '127.0.0.1')
  const tally = new Tally(messages)
  const whole = Promise.withResolvers<number>()
  const frames = new FrameReader((frame) => {
    for (const line of frame.toString('latin1', 4).split('\n')) {
      if (line === '') continue
      const value = JSON.parse(line) as Position
      tally.add(value.sequence, value.agentId)
    }
    if (tally.isWhole) whole.resolve(wallMs())
  })
  socket.on('connect', () => socket.write('C'))
  socket.on('data', (bytes) => frames.add(bytes))
  socket.on('error', (error) => whole.reject(error))
  const endedAtMs = await whole.promise
  socket.destroy()
  return { endedAtMs, consumed: tally.count, repeated: tally.repeated, reordered: tally.reordered }
})
