export { seededRandom } from './seeded-random.ts'
export type { SimulatedClockOptions } from './simulated-clock.ts'
export { SimulatedClock } from './simulated-clock.ts'
