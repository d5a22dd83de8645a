import type { Reader } from '../../bus/index.ts'

/** Where an agent's commands come from: a reader of the broker, or the node that hands them out. */
export type CommandSource = Pick<Reader, 'read' | 'acknowledge' | 'settle' | 'close'>
