import { SkeinError } from '../../../core/index.ts'
import { Lane, Operation, type Precedence, type Session, type Welcome } from '../../../wire/index.ts'
import { isLost, type Resumable } from './link.ts'
import type { Section } from './section.ts'

/** Sections sent and not answered: few enough that the node still knows each of them when it is sent again. */
const IN_FLIGHT_MAX = 256

/** The share of what a node lets one client have pending, by lane. */
const WINDOW_SHARE: Readonly<Record<Lane, number>> = { [Lane.urgent]: 0.125, [Lane.normal]: 0.125, [Lane.bulk]: 0.75 }

/**
 * What is written in one lane, in order: as much on its way as the node's window allows, the rest waits here. After a
 * broken connection everything unanswered is sent again, in order; the node knows what it has stored already.
 */
export class WriteLane implements Resumable {
  readonly #lane: Lane
  readonly #precedence: Precedence
  #waiting: Section[] = []
  /** In the order they were sent. */
  readonly #inFlight = new Set<Section>()
  #inFlightBytes = 0
  #windowBytes = 0
  #session: Session | undefined
  #round = 0
  #isHeld = false

  constructor(lane: Lane, precedence: Precedence) {
    this.#lane = lane
    this.#precedence = precedence
  }

  push(section: Section): void {
    this.#waiting.push(section)
    this.#flush()
  }

  onConnected(session: Session, welcome: Welcome): void {
    this.#session = session
    this.#windowBytes = welcome.pendingBytesMax * WINDOW_SHARE[this.#lane]
    this.#flush()
  }

  onBroken(error: SkeinError): void {
    this.#session = undefined
    this.#round += 1
    const inFlight = [...this.#inFlight]
    this.#waiting = [...inFlight.filter((section) => section.isRepeatable), ...this.#waiting]
    this.#inFlight.clear()
    this.#inFlightBytes = 0
    for (const section of inFlight) if (!section.isRepeatable) section.onFailed(error, true)
  }

  onEnded(error: SkeinError): void {
    this.onBroken(error)
    this.fail(error, () => true)
  }

  /** Gives up every section that `belongs`: one that was ever sent may be stored. */
  fail(error: SkeinError, belongs: (section: Section) => boolean): void {
    for (const section of [...this.#inFlight, ...this.#waiting].filter(belongs)) {
      this.#remove(section)
      section.onFailed(error, section.wasSent)
    }
  }

  #flush(): void {
    while (!this.#isHeld && this.#maySend()) {
      if (this.#lane === Lane.bulk && this.#precedence.isTaken) this.#sendLater()
      else this.#sendNext()
    }
  }

  #sendLater(): void {
    this.#isHeld = true
    this.#precedence.later(() => {
      this.#isHeld = false
      if (this.#maySend()) this.#sendNext()
      this.#flush()
    })
  }

  #maySend(): boolean {
    return this.#session !== undefined && this.#waiting.length > 0 && this.#hasWindow(this.#waiting[0]!)
  }

  #sendNext(): void {
    this.#send(this.#session!, this.#waiting.shift()!)
  }

  #hasWindow(section: Section): boolean {
    if (this.#inFlight.size === 0) return true
    return this.#inFlight.size < IN_FLIGHT_MAX && this.#inFlightBytes + section.byteLength <= this.#windowBytes
  }

  #send(session: Session, section: Section): void {
    const round = this.#round
    this.#inFlight.add(section)
    this.#inFlightBytes += section.byteLength
    section.wasSent = true
    const stored = session.call(Operation.write, { lane: this.#lane, head: section.head, body: section.body })
    const over = this.#lane === Lane.urgent ? this.#precedence.begin() : undefined
    stored.then(
      (answer) => {
        over?.()
        if (round === this.#round) this.#settle(section, () => section.onStored(answer.head))
      },
      (error: unknown) => {
        over?.()
        // Lost with the connection: it waits for the next one, where `onBroken` has put it.
        if (round !== this.#round || isLost(error)) return
        this.#settle(section, () => section.onFailed(error as SkeinError, isUnknown(error)))
      },
    )
  }

  #settle(section: Section, tell: () => void): void {
    if (!this.#remove(section)) return
    tell()
    this.#flush()
  }

  #remove(section: Section): boolean {
    if (this.#inFlight.delete(section)) {
      this.#inFlightBytes -= section.byteLength
      return true
    }
    const index = this.#waiting.indexOf(section)
    if (index !== -1) this.#waiting.splice(index, 1)
    return index !== -1
  }
}

function isUnknown(error: unknown): boolean {
  return error instanceof SkeinError && error.code === 'write-failed' && Number(error.details.unknown) > 0
}
