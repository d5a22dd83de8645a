import type { Message, Writer } from '../bus/index.ts'
import type { Decided, PlannedJoin } from './decider.ts'
import type { EventTeller } from './event-teller.ts'
import { forgetMessage, type OwnerHeaders, ownerHeaders, stateMessage, withEpoch } from './roster-record.ts'
import { type SwarmEvent, swarmMessage } from './swarm-event.ts'

/** Writes what the decider decided: the roster first, and once that is stored, the events that tell of it. */
export class RosterWriter {
  readonly #writer: Writer
  readonly #teller: EventTeller
  readonly #headers: OwnerHeaders

  constructor(writer: Writer, teller: EventTeller, ownerEpoch: number) {
    this.#writer = writer
    this.#teller = teller
    this.#headers = ownerHeaders(ownerEpoch)
  }

  /** Stores a join and gives its epoch. */
  async join({ state, events }: PlannedJoin): Promise<number> {
    const epoch = await this.#write([stateMessage(state, events, this.#headers)])
    this.#tell(withEpoch(events, epoch), epoch)
    return epoch
  }

  /** Stores states of distinct agents. */
  async states(decided: readonly Decided[]): Promise<void> {
    const messages = decided.map(({ state, events }) => stateMessage(state, events, this.#headers))
    const last = await this.#write(messages)
    const first = last - decided.length + 1
    for (const [index, { events }] of decided.entries()) this.#tell(events, first + index)
  }

  /** Removes agents for good. */
  async forget(agentIds: readonly string[], nowMs: number): Promise<void> {
    const last = await this.#write(agentIds.map((agentId) => forgetMessage(agentId, this.#headers)))
    const first = last - agentIds.length + 1
    for (const [index, agentId] of agentIds.entries()) {
      this.#tell([{ kind: 'forgotten', agentId, atMs: nowMs }], first + index)
    }
  }

  async #write(messages: readonly Message[]): Promise<number> {
    const receipt = await this.#writer.write(messages)
    return receipt.positions[0]!.sequence
  }

  #tell(events: readonly SwarmEvent[], sequence: number): void {
    this.#teller.tell(toldMessages(events, sequence))
  }
}

/** The messages that tell of one roster record, with ids of their own for ever. */
export function toldMessages(events: readonly SwarmEvent[], rosterSequence: number): readonly Message[] {
  return events.map((event) => swarmMessage(event, `roster-${rosterSequence}-${event.kind}`, rosterSequence))
}
