import Type, { type Static } from 'typebox'

export const PositionSchema = Type.Object({
  sequence: Type.Integer({ minimum: 0 }),
  latitude: Type.Number({ minimum: -90, maximum: 90 }),
  longitude: Type.Number({ minimum: -180, maximum: 180 }),
  altitude: Type.Number(),
  heading: Type.Number({ minimum: 0, maximum: 360 }),
  battery: Type.Number({ minimum: 0, maximum: 1 }),
})

export type PositionReport = Static<typeof PositionSchema>

/** Distinct for each sequence; about 128 bytes as JSON. */
export function positionReport(sequence: number): PositionReport {
  return {
    sequence,
    latitude: 52 + (sequence % 100_000) / 100_000,
    longitude: 13 - (sequence % 70_000) / 70_000,
    altitude: 120 + (sequence % 997) / 10,
    heading: sequence % 360,
    battery: 1 - (sequence % 1_000) / 1_000,
  }
}

/** Counts what came back and refuses anything but every report once, each agent's in order. */
export class ReportCheck {
  count = 0
  readonly #lastOfAgent = new Map<string, number>()
  #sequences = 0

  add(agentId: string, report: PositionReport): void {
    const last = this.#lastOfAgent.get(agentId) ?? -1
    if (report.sequence <= last) throw new Error(`${agentId}: ${report.sequence} came after ${last}`)
    this.#lastOfAgent.set(agentId, report.sequence)
    this.#sequences += report.sequence
    this.count += 1
  }

  /** Throws unless exactly the sequences below `messages` came. */
  finish(messages: number): void {
    const expected = (messages * (messages - 1)) / 2
    if (this.count === messages && this.#sequences === expected) return
    throw new Error(`read back ${this.count} of ${messages} messages, with sequences adding up to ${this.#sequences}`)
  }
}
