export interface HeldMessage {
  readonly offset: number
  readonly orderKey: string
  /** Deliveries that failed or were abandoned so far. */
  attempts: number
  /**
   * `waiting`: for its time or for an earlier one of its key. `dying`: on its way to the dead letters. `unburied`: its
   * dead letter could not be stored, and is tried again at its time.
   */
  state: 'waiting' | 'inHand' | 'dying' | 'unburied'
  /** Not before this time, on the clock of whoever asks. */
  dueMs: number
  /** Of the batch it was last given in. */
  ordinal: number
  /** Why it is dead. */
  error?: string
  /** Times that its dead letter could not be stored. */
  burials?: number
}

const NONE_BY_OFFSET = new Map<number, HeldMessage>()
const NONE_BY_KEY = new Map<string, HeldMessage[]>()

/**
 * Messages of one partition that are neither done nor in their first delivery, queued by key: only the front of a key's
 * queue may be given, so a failed message holds back the later ones of its key.
 */
export class HeldMessages {
  // Mostly nothing is held, and a node has tens of thousands of these: they share empty maps until something is.
  #byOffset: Map<number, HeldMessage> = NONE_BY_OFFSET
  #byKey: Map<string, HeldMessage[]> = NONE_BY_KEY
  #leastOffset: number | undefined
  #unburied: Set<HeldMessage> | undefined

  get size(): number {
    return this.#byOffset.size
  }

  get leastOffset(): number | undefined {
    if (this.#leastOffset === undefined && this.#byOffset.size > 0) {
      this.#leastOffset = this.#byOffset.keys().reduce((least, offset) => Math.min(least, offset))
    }
    return this.#leastOffset
  }

  get(offset: number): HeldMessage | undefined {
    return this.#byOffset.get(offset)
  }

  has(offset: number): boolean {
    return this.#byOffset.has(offset)
  }

  /** Whether a later message of this key has to wait. */
  holdsKey(orderKey: string): boolean {
    return this.#byKey.has(orderKey)
  }

  add(
    message: { readonly offset: number; readonly orderKey: string },
    start: { readonly attempts: number; readonly dueMs: number },
  ): HeldMessage {
    const { offset, orderKey } = message
    if (this.#byOffset === NONE_BY_OFFSET) {
      this.#byOffset = new Map()
      this.#byKey = new Map()
    }
    const held: HeldMessage = { offset, orderKey, ...start, state: 'waiting', ordinal: 0 }
    this.#byOffset.set(offset, held)
    const queue = this.#byKey.get(orderKey)
    if (queue === undefined) this.#byKey.set(orderKey, [held])
    else queue.splice(queue.findLastIndex((one) => one.offset < offset) + 1, 0, held)
    if (this.#leastOffset !== undefined && offset < this.#leastOffset) this.#leastOffset = offset
    return held
  }

  putBack(message: HeldMessage, dueMs: number): void {
    message.state = 'waiting'
    message.dueMs = dueMs
  }

  /** It is dead, is given no more, and holds back its key until its dead letter is stored. */
  keepUnburied(message: HeldMessage, dueMs: number): void {
    message.state = 'unburied'
    message.dueMs = dueMs
    this.#unburied ??= new Set()
    this.#unburied.add(message)
  }

  /** Those whose dead letters are to be tried again, on their way now. */
  takeUnburied(nowMs: number): readonly HeldMessage[] {
    if (this.#unburied === undefined) return []
    const due = [...this.#unburied].filter(({ dueMs }) => dueMs <= nowMs)
    for (const message of due) {
      message.state = 'dying'
      this.#unburied.delete(message)
    }
    return due
  }

  remove(offset: number): void {
    const message = this.#byOffset.get(offset)
    if (message === undefined) return
    this.#unburied?.delete(message)
    this.#byOffset.delete(offset)
    if (this.#leastOffset === offset) this.#leastOffset = undefined
    const queue = this.#byKey.get(message.orderKey)!
    if (queue.length === 1) this.#byKey.delete(message.orderKey)
    else queue.splice(queue.indexOf(message), 1)
  }

  /** Those whose turn has come, by offset, now in hand: of each key the run at its front that is due and free. */
  takeDue(limits: {
    readonly nowMs: number
    readonly countMax: number
    readonly isFree: (message: HeldMessage) => boolean
  }): HeldMessage[] {
    const due: HeldMessage[] = []
    for (const queue of this.#byKey.values()) {
      for (const message of queue) {
        if (message.state !== 'waiting' || message.dueMs > limits.nowMs || !limits.isFree(message)) break
        due.push(message)
      }
    }
    due.sort((one, other) => one.offset - other.offset)
    const taken = due.slice(0, limits.countMax)
    for (const message of taken) message.state = 'inHand'
    return taken
  }

  /** When the next front of a queue comes due, of those that are free, or a dead letter; undefined when none waits for a time. */
  nextDueMs(isFree: (message: HeldMessage) => boolean): number | undefined {
    let least: number | undefined
    for (const queue of this.#byKey.values()) {
      const front = queue[0]!
      if (front.state !== 'waiting' || (least !== undefined && front.dueMs >= least)) continue
      if (isFree(front)) least = front.dueMs
    }
    for (const { dueMs } of this.#unburied ?? []) if (least === undefined || dueMs < least) least = dueMs
    return least
  }

  all(): HeldMessage[] {
    return [...this.#byOffset.values()]
  }
}
