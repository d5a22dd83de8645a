import { SkeinError } from '../../core/index.ts'

/** Commands of one call on their way to whoever orders them. */
export interface Proposal {
  /** The life of the member that proposes: 24 hexadecimal digits. */
  readonly proposer: string
  /** Of its calls, from 1. */
  readonly number: number
  readonly commands: readonly Uint8Array[]
}

const VERSION = 1
const HEADER_BYTES = 28
const LENGTH_BYTES = 4
const NUMBER_AT = 4
const PROPOSER_AT = 12
const COUNT_AT = 24

/** Bytes of a proposal: all of it is one message of the topic. */
export function proposalBytes(commands: ReadonlyArray<{ readonly length: number }>): number {
  return commands.reduce((sum, { length }) => sum + LENGTH_BYTES + length, HEADER_BYTES)
}

/** Version, three bytes of nothing, number as a double, proposer, count; then a length before each command: little-endian. */
export function encodeProposal({ proposer, number, commands }: Proposal): Uint8Array {
  const bytes = new Uint8Array(proposalBytes(commands))
  const view = new DataView(bytes.buffer)
  view.setUint8(0, VERSION)
  view.setFloat64(NUMBER_AT, number, true)
  bytes.set(Buffer.from(proposer, 'hex'), PROPOSER_AT)
  view.setUint32(COUNT_AT, commands.length, true)
  let at = HEADER_BYTES
  for (const command of commands) {
    view.setUint32(at, command.length, true)
    bytes.set(command, at + LENGTH_BYTES)
    at += LENGTH_BYTES + command.length
  }
  return bytes
}

/** The commands are views. Throws `corrupt` for what is no proposal, `future-version` for one of a later build. */
export function decodeProposal(bytes: Uint8Array): Proposal {
  if (bytes.length < HEADER_BYTES) throw notOurs()
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const version = view.getUint8(0)
  if (version > VERSION) {
    const message = `Cannot read a proposal: it is of version ${version}, this build reads up to ${VERSION}; use a newer Skein`
    throw new SkeinError('future-version', message, { details: { version, known: VERSION } })
  }
  const commands: Uint8Array[] = []
  let at = HEADER_BYTES
  for (let left = view.getUint32(COUNT_AT, true); left > 0; left -= 1) {
    if (at + LENGTH_BYTES > bytes.length) throw notOurs()
    const end = at + LENGTH_BYTES + view.getUint32(at, true)
    if (end > bytes.length) throw notOurs()
    commands.push(bytes.subarray(at + LENGTH_BYTES, end))
    at = end
  }
  if (version === 0 || commands.length === 0 || at !== bytes.length) throw notOurs()
  const proposer = Buffer.from(bytes.subarray(PROPOSER_AT, COUNT_AT)).toString('hex')
  return { proposer, number: view.getFloat64(NUMBER_AT, true), commands }
}

function notOurs(): SkeinError {
  return new SkeinError(
    'corrupt',
    'Cannot read a proposal: it is none; only members of the log may write to this topic',
  )
}
