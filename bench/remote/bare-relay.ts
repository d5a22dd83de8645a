import { once } from 'node:events'
import { type FileHandle, open } from 'node:fs/promises'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { FrameReader } from './bare-frames.ts'
import { serveRequests } from './worker.ts'

/** Appends frames to a file, one `writev` and `fdatasync` at a time, and passes on what is synced. */
class Relay {
  readonly #file: FileHandle
  readonly #publisher: Socket
  readonly #consumer: Socket
  #waiting: Buffer[] = []
  #isWriting = false

  constructor(file: FileHandle, publisher: Socket, consumer: Socket) {
    this.#file = file
    this.#publisher = publisher
    this.#consumer = consumer
  }

  add(frame: Buffer): void {
    this.#waiting.push(frame)
    if (!this.#isWriting) void this.#write()
  }

  async #write(): Promise<void> {
    this.#isWriting = true
    while (this.#waiting.length > 0) {
      const frames = this.#waiting
      this.#waiting = []
      await this.#file.writev(frames)
      await this.#file.datasync()
      this.#publisher.write(Buffer.alloc(frames.length))
      let isFull = false
      for (const frame of frames) isFull = !this.#consumer.write(frame)
      if (isFull) await once(this.#consumer, 'drain')
    }
    this.#isWriting = false
  }
}

function carry(publisher: Socket, consumer: Socket, file: FileHandle): void {
  const relay = new Relay(file, publisher, consumer)
  const frames = new FrameReader((frame) => relay.add(frame))
  publisher.on('data', (bytes) => frames.add(bytes))
  publisher.on('close', () => void file.close())
  publisher.write('G')
}

serveRequests(async ({ path }: { path: string }): Promise<{ port: number }> => {
  const file = await open(path, 'w')
  const arrived = new Map<string, Socket>()
  const server = createServer((socket) => {
    socket.setNoDelay(true)
    socket.on('error', () => socket.destroy())
    socket.once('data', (first) => {
      arrived.set(first.toString('latin1', 0, 1), socket)
      const publisher = arrived.get('P')
      const consumer = arrived.get('C')
      if (publisher === undefined || consumer === undefined) return
      server.close()
      carry(publisher, consumer, file)
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return { port: (server.address() as AddressInfo).port }
})
