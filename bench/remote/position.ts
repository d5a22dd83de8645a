/** The value that is measured: a position of about 128 bytes as JSON, each another. */
export interface Position {
  readonly sequence: number
  readonly agentId: string
  readonly latitude: number
  readonly longitude: number
  readonly altitude: number
  readonly heading: number
  readonly battery: number
}

const AGENTS = Array.from({ length: 16 }, (_, index) => `drone-${String(index).padStart(2, '0')}`)

export function position(sequence: number): Position {
  return {
    sequence,
    agentId: AGENTS[sequence % AGENTS.length]!,
    latitude: (sequence % 17_999) / 200 - 45,
    longitude: (sequence % 35_999) / 200 - 90,
    altitude: 120 + (sequence % 100) / 10,
    heading: (sequence % 3600) / 10,
    battery: (sequence % 100) / 100,
  }
}
