/**
 * The bare loop that Raft is measured against: the same frames over TCP, appended and synced in three processes, answered when
 * two of them have. No terms, no elections, no checks; nothing is looked at but the length of a frame.
 */
import { open } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { ANSWER, CallFrames, frameOf } from '../../sim/members/call-frames.ts'

export interface CeilingSpec {
  readonly file: string
  /** Of the followers; a follower has none. */
  readonly followers: readonly number[]
}

const NOTHING = new Uint8Array(0)
const spec: CeilingSpec = JSON.parse(process.argv[2]!)
const file = await open(spec.file, 'wx')

/** Appends what has come together, with one sync at a time; `onDurable` is told how many bytes are. */
class Appender {
  readonly #onDurable: (bytes: number) => void
  #waiting: Buffer[] = []
  #bytes = 0
  #isBusy = false

  constructor(onDurable: (bytes: number) => void) {
    this.#onDurable = onDurable
  }

  push(frame: Buffer): void {
    this.#waiting.push(frame)
    if (!this.#isBusy) void this.#run()
  }

  async #run(): Promise<void> {
    this.#isBusy = true
    // All of this turn goes together.
    await new Promise<void>((resolve) => setImmediate(resolve))
    while (this.#waiting.length > 0) {
      const frames = this.#waiting
      this.#waiting = []
      const { bytesWritten } = await file.writev(frames, this.#bytes)
      await file.datasync()
      this.#bytes += bytesWritten
      this.#onDurable(this.#bytes)
    }
    this.#isBusy = false
  }
}

function follow(leader: Socket): void {
  const frames = new CallFrames()
  const answer = Buffer.alloc(8)
  const appender = new Appender((bytes) => {
    answer.writeDoubleLE(bytes)
    leader.write(Buffer.from(answer))
  })
  leader.on('error', () => {})
  leader.on('data', (chunk) => {
    frames.push(chunk as Buffer, ({ whole }) => appender.push(whole))
  })
}

interface Open {
  readonly throughBytes: number
  readonly call: number
  readonly client: Socket
}

/** Sends on, appends, and answers what two of the three have. */
class Leader {
  readonly #followers: Socket[]
  readonly #durable: number[]
  readonly #appender = new Appender((bytes) => this.#durableAt(this.#followers.length, bytes))
  #open: Open[] = []
  #bytes = 0

  constructor(ports: readonly number[]) {
    this.#durable = Array.from({ length: ports.length + 1 }, () => 0)
    this.#followers = ports.map((port, index) => this.#follower(port, index))
  }

  #follower(port: number, index: number): Socket {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true })
    let rest: Buffer = Buffer.alloc(0)
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      rest = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer])
      const whole = Math.floor(rest.length / 8) * 8
      if (whole === 0) return
      const bytes = rest.readDoubleLE(whole - 8)
      rest = rest.subarray(whole)
      this.#durableAt(index, bytes)
    })
    return socket
  }

  serve(client: Socket): void {
    const frames = new CallFrames()
    client.on('error', () => {})
    client.on('data', (chunk) => {
      frames.push(chunk as Buffer, ({ whole, call }) => {
        this.#bytes += whole.length
        this.#open.push({ throughBytes: this.#bytes, call, client })
        for (const follower of this.#followers) follower.write(whole)
        this.#appender.push(whole)
      })
    })
  }

  #durableAt(who: number, bytes: number): void {
    this.#durable[who] = bytes
    const ranked = this.#durable.toSorted((left, right) => right - left)
    const agreed = ranked[Math.floor(ranked.length / 2)]!
    let done = 0
    for (; done < this.#open.length && this.#open[done]!.throughBytes <= agreed; done += 1) {
      const { client, call } = this.#open[done]!
      client.write(frameOf(ANSWER.done, call, NOTHING))
    }
    this.#open.splice(0, done)
  }
}

const leader = spec.followers.length > 0 ? new Leader(spec.followers) : undefined
const server = createServer({ noDelay: true }, (socket) => {
  if (leader === undefined) follow(socket)
  else leader.serve(socket)
})
server.listen(0, '127.0.0.1', () => process.send!({ clientPort: (server.address() as AddressInfo).port }))
process.on('disconnect', () => process.exit(0))
