import { errorText } from '../../core/index.ts'
import { bodyHash } from './body-hash.ts'
import type { Arrival } from './command-intake.ts'
import { type CommandRecord, decodeCommand } from './command-record.ts'
import type { Verdict } from './handler-run.ts'
import type { IncomingCommand, Registered } from './incoming-command.ts'

/** A command that came, and why it is not to be claimed, when that is plain from what it says. */
export interface ReadArrival {
  readonly item: IncomingCommand
  readonly refusal: Verdict | undefined
}

/** Undefined for what is no command (it goes to the dead letters) and for what is for other agents. */
export function readArrival(
  arrival: Arrival,
  agentId: string,
  handlerOf: (type: string) => Registered | undefined,
): ReadArrival | undefined {
  let record: CommandRecord
  try {
    record = decodeCommand(arrival.delivery)
  } catch (error) {
    arrival.dead(errorText(error))
    return undefined
  }
  const addressee = record.addressees.find((each) => each.agentId === agentId)
  if (addressee === undefined) {
    arrival.done()
    return undefined
  }
  const registered = handlerOf(record.type)
  const item: IncomingCommand = {
    record,
    sentEpoch: addressee.epoch,
    held: addressee.held,
    bodyHash: bodyHash(record.type, arrival.delivery.value ?? new Uint8Array()),
    overlap: registered?.definition.overlap ?? 'parallel',
    registered: registered ?? UNHANDLED,
    value: undefined,
    arrival,
    senders: new Set([record.sender]),
    timer: undefined,
    run: undefined,
    finished: false,
  }
  return { item, refusal: registered === undefined ? unknownCommand(record) : decodeInto(item, arrival) }
}

/** Stands in for the declaration of a command that the agent does not know. */
const UNHANDLED = { definition: { idempotent: false } } as unknown as Registered

function unknownCommand(record: CommandRecord): Verdict {
  return {
    state: 'rejected',
    reason: 'unknown-command',
    message: `The agent has no handler for "${record.type}"`,
  }
}

function decodeInto(item: IncomingCommand, arrival: Arrival): Verdict | undefined {
  try {
    item.value = item.registered.definition.value.decode(arrival.delivery)
    return undefined
  } catch (error) {
    return { state: 'rejected', reason: 'schema-mismatch', message: errorText(error) }
  }
}
