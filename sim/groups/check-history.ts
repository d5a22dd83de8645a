import type { GroupHistory, Step } from './history.ts'

type Given = Extract<Step, { kind: 'given' }>

/** One message, as the checker follows it. */
interface Message {
  readonly id: string
  readonly key: string
  readonly expires: boolean
  /** Where it was given from, once it was. */
  place: string | undefined
  sequence: number
  state: 'waiting' | 'in-hand' | 'done' | 'dead'
  retries: number
  /** Deliveries before the next one that certainly count: failed ones, and those given back by a living process. */
  counted: number
  /** Those that may count: a crash may or may not have been told of what was in hand. */
  possible: number
  /** Dead, and its batch not settled to its end: after a crash it may be given again. */
  isLoose: boolean
  /** A power loss, or a crash while it was in hand or loose: what was settled may be forgotten, or half done. */
  shaken: boolean
}

/** What the group did wrong, one sentence each; empty for a history that keeps every promise. Pure. */
export function checkHistory(history: GroupHistory): string[] {
  return new Check(history).run()
}

class Check {
  readonly #history: GroupHistory
  readonly #faults: string[] = []
  readonly #messages = new Map<string, Message>()
  readonly #byKey = new Map<string, Message[]>()
  #timeIsUp = false

  constructor(history: GroupHistory) {
    this.#history = history
  }

  run(): string[] {
    for (const step of this.#history.steps) this.#take(step)
    this.#checkEnd()
    return this.#faults
  }

  #take(step: Step): void {
    if (step.kind === 'sent') this.#sent(step.id, step.key, step.expires ?? false)
    else if (step.kind === 'expired') this.#timeIsUp = true
    else if (step.kind === 'given') this.#given(step)
    else if (step.kind === 'abandoned') this.#abandon(step.ids)
    else if (step.kind === 'acknowledged') this.#acknowledged(step.ids)
    else if (step.kind === 'crash') this.#crash()
    else if (step.kind === 'power-loss') this.#losePower()
    else if (step.kind === 'settled-late') this.#fault(`${step.ids.join(', ')} were settled by who had lost them`)
    else this.#settled(step.kind, step.id)
  }

  #sent(id: string, key: string, expires: boolean): void {
    if (this.#messages.has(id)) return
    const message: Message = {
      id,
      key,
      expires,
      place: undefined,
      sequence: -1,
      state: 'waiting',
      retries: 0,
      counted: 0,
      possible: 0,
      isLoose: false,
      shaken: false,
    }
    this.#messages.set(id, message)
    this.#byKey.set(key, [...(this.#byKey.get(key) ?? []), message])
  }

  #given(step: Given): void {
    const message = this.#messages.get(step.id)
    if (message === undefined) {
      this.#fault(`${step.id} was given and never sent`)
      return
    }
    const place = `${step.partition}/${step.sequence}`
    if (!step.intact || step.key !== message.key) this.#fault(`${step.id} was given with other content`)
    if (message.place !== undefined && message.place !== place) this.#fault(`${step.id} is stored twice`)
    if (message.expires && this.#timeIsUp) this.#fault(`${step.id} was given after its time to live`)
    if (message.state === 'in-hand') this.#fault(`${step.id} was given while a reader had it in hand`)
    if ((message.state === 'done' || message.state === 'dead') && !message.shaken)
      this.#fault(`${step.id} was given again after it was ${message.state}`)
    this.#checkAttempt(message, step.attempt)
    this.#checkOrder(message, step.sequence)
    Object.assign(message, { place, sequence: step.sequence, state: 'in-hand' })
  }

  #checkAttempt(message: Message, attempt: number): void {
    const least = message.shaken ? 1 : 1 + message.counted
    const most = 1 + message.possible
    if (attempt < least || attempt > most) {
      const expected = least === most ? `${least}` : `${least} to ${most}`
      this.#fault(`${message.id} was given as attempt ${attempt}, expected ${expected}`)
    }
    if (message.retries >= this.#history.attemptsMax && !message.shaken)
      this.#fault(`${message.id} was given past its last attempt`)
  }

  /** Everything of its key that lies before it must be in the same hands, or over. */
  #checkOrder(message: Message, sequence: number): void {
    for (const earlier of this.#byKey.get(message.key) ?? []) {
      if (earlier === message) return
      if (earlier.state === 'waiting' && !this.#mayBeGone(earlier) && !this.#mayBeDead(earlier)) {
        this.#fault(`${message.id} overtook ${earlier.id} of its key`)
      }
      if (earlier.sequence > sequence) this.#fault(`${message.id} is stored before ${earlier.id}, which was sent first`)
    }
  }

  #mayBeGone(message: Message): boolean {
    return message.expires && this.#timeIsUp
  }

  #mayBeDead(message: Message): boolean {
    return message.state === 'waiting' && message.possible >= this.#history.attemptsMax
  }

  #settled(how: 'done' | 'retry' | 'release' | 'dead', id: string): void {
    const message = this.#messages.get(id)
    if (message === undefined || message.state !== 'in-hand') return
    if (how === 'retry') this.#count(message)
    const isDead = how === 'dead' || (how === 'retry' && message.retries >= this.#history.attemptsMax)
    message.isLoose = isDead
    message.state = how === 'done' ? 'done' : isDead ? 'dead' : 'waiting'
  }

  #acknowledged(ids: readonly string[]): void {
    for (const id of ids) {
      const message = this.#messages.get(id)
      if (message !== undefined) message.isLoose = false
    }
  }

  #count(message: Message): void {
    message.retries += 1
    message.counted += 1
    message.possible += 1
  }

  #abandon(ids: readonly string[]): void {
    for (const id of ids) {
      const message = this.#messages.get(id)
      if (message?.state !== 'in-hand') continue
      message.state = 'waiting'
      message.counted += 1
      message.possible += 1
    }
  }

  /** A settling that resolved before the crash is stored; only what was in hand is open again. */
  #crash(): void {
    for (const message of this.#messages.values()) {
      message.counted = message.retries
      const isOpen = message.state === 'in-hand'
      if (!isOpen && !message.isLoose) continue
      // Its letter may have been stored, and its place not.
      message.shaken = true
      message.isLoose = false
      message.possible += 1
      if (isOpen) message.state = 'waiting'
    }
  }

  #losePower(): void {
    this.#crash()
    for (const message of this.#messages.values()) message.shaken = true
  }

  #checkEnd(): void {
    const letters = new Map<string, number>()
    for (const id of this.#history.deadLetters) letters.set(id, (letters.get(id) ?? 0) + 1)
    for (const message of this.#messages.values()) {
      const { id, state } = message
      const isExhausted = this.#mayBeDead(message) && letters.has(id)
      const isOver = state === 'done' || state === 'dead' || isExhausted || this.#mayBeGone(message)
      if (!isOver) this.#fault(`${id} is lost: it was never done nor dead`)
      if (state === 'dead' && !letters.has(id)) this.#fault(`${id} is dead and not among the dead letters`)
      if (state === 'done' && letters.has(id) && !message.shaken)
        this.#fault(`${id} was done and is among the dead letters`)
    }
    for (const [id, count] of letters) {
      if (count > 1 && !this.#messages.get(id)?.shaken) this.#fault(`${id} is among the dead letters ${count} times`)
    }
  }

  #fault(sentence: string): void {
    this.#faults.push(sentence)
  }
}
