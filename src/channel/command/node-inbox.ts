import type { Bus, Message, RequestedDurability, TopicSpec, Writer } from '../../bus/index.ts'
import { type Clock, SkeinError } from '../../core/index.ts'
import type { Roster } from '../ports.ts'
import { decodeChange, encodeChange, type InboxChange } from './inbox-change.ts'
import { numberField, outcomeToJson, rowKey, textField } from './inbox-row.ts'
import type { ClaimRequest, SettleRequest } from './inbox-store.ts'
import { readClaim, readSettle } from './inbox-wire.ts'
import { type InboxJournal, JournaledInbox } from './journaled-inbox.ts'
import { answerJson, INBOX_CLAIM, INBOX_SETTLE } from './requests.ts'

/** Where a node keeps the inboxes of agents without a disk. */
export const INBOX_TOPIC = 'skein.inbox'

/** Within this time a reader gives what it has; the longest that a broker may be silent before its end is reached. */
const QUIET_MS = 500
const QUIET_MS_MAX = 60_000

export interface NodeInboxOptions {
  readonly bus: Bus
  readonly clock: Clock
  readonly roster: Roster
  readonly durability: RequestedDurability
  /** Of all agents together. Default 1,000,000. */
  readonly rowsMax?: number
  readonly graceMs?: number
}

/** The inboxes of all agents without a disk, in one compacted topic, and the answers to their calls. */
export interface NodeInbox {
  readonly inbox: JournaledInbox
  close(): Promise<void>
}

export async function openNodeInbox(options: NodeInboxOptions): Promise<NodeInbox> {
  const { bus, clock, rowsMax = 1_000_000, graceMs = 60_000 } = options
  await bus.open(inboxTopic(options.durability))
  // The node's own clock is node time, exactly.
  const nodeTime = { latestMs: () => clock.nowMs(), earliestMs: () => clock.nowMs() }
  const journal = new TopicJournal(bus.writer(INBOX_TOPIC))
  const inbox = new JournaledInbox({ clock, nodeTime, rowsMax, graceMs, journal })
  await readAll(bus, (change) => inbox.restore(change))
  const stops = await Promise.all([
    bus.requests.answer(
      INBOX_CLAIM,
      answerJson((body) => answerClaim(inbox, options.roster, body)),
    ),
    bus.requests.answer(
      INBOX_SETTLE,
      answerJson((body) => answerSettle(inbox, options.roster, body)),
    ),
  ])
  return {
    inbox,
    async close() {
      await Promise.all(stops.map((stop) => stop()))
      await inbox.close()
    },
  }
}

function inboxTopic(durability: RequestedDurability): TopicSpec {
  return { name: INBOX_TOPIC, intent: 'event', durability, compaction: {}, deduplicationWindowMs: 0 }
}

async function readAll(bus: Bus, fold: (change: InboxChange) => void): Promise<void> {
  const reader = bus.reader(INBOX_TOPIC, { mode: 'broadcast', from: 'earliest' })
  try {
    const end = (await reader.end())[0]
    let next = 0
    let quietMs = 0
    while (end !== undefined && next < end.sequence) {
      const batch = await reader.read({ waitMs: QUIET_MS })
      if (batch === null) {
        // What compaction took away leaves a gap up to the end, which is no lag; a broker that is slow to answer leaves one.
        if ((await reader.lag()).every(({ messages }) => messages === 0)) return
        quietMs += QUIET_MS
        if (quietMs >= QUIET_MS_MAX) throw unread(end.sequence - next)
        continue
      }
      quietMs = 0
      for (const delivery of batch.deliveries) if (delivery.value !== null) fold(decodeChange(delivery.text()))
      next = batch.last.sequence + 1
    }
  } finally {
    await reader.close()
  }
}

/** An inbox that is read in part would let commands run a second time. */
function unread(left: number): SkeinError {
  const message = `Cannot open the inbox: ${left} of its records were not given within ${QUIET_MS_MAX} ms; look at the broker, and try again`
  return new SkeinError('timeout', message, { retryable: true })
}

class TopicJournal implements InboxJournal {
  readonly #writer: Writer
  #notes: InboxChange[] = []

  constructor(writer: Writer) {
    this.#writer = writer
  }

  async append(changes: readonly InboxChange[], applied: () => void): Promise<void> {
    const notes = this.#notes
    this.#notes = []
    await this.#writer.write([...notes, ...changes].flatMap(toMessages))
    applied()
  }

  note(change: InboxChange): void {
    this.#notes.push(change)
    if (this.#notes.length >= NOTES_MAX) this.append([], () => {}).catch(() => {})
  }

  async close(): Promise<void> {
    if (this.#notes.length > 0) await this.append([], () => {}).catch(() => {})
    await this.#writer.drain()
  }
}

const NOTES_MAX = 1_000

function toMessages(change: InboxChange): readonly Message[] {
  if (change.kind === 'row') {
    const key = rowKey(change.row.agentId, change.row.intentId)
    return [{ subject: INBOX_TOPIC, key, value: encodeChange(change) }]
  }
  if (change.kind === 'session') {
    return [{ subject: INBOX_TOPIC, key: `session ${change.agentId}`, value: encodeChange(change) }]
  }
  const gone = change.keys.map((key) => ({ subject: INBOX_TOPIC, key, value: null }))
  return [...gone, { subject: INBOX_TOPIC, key: 'forgotten', value: encodeChange({ ...change, keys: [] }) }]
}

async function answerClaim(inbox: JournaledInbox, roster: Roster, body: Record<string, unknown>): Promise<unknown> {
  checkEpoch(roster, textField(body, 'agentId'), numberField(body, 'epoch'))
  if (body.op === 'recover') {
    const session = { agentId: textField(body, 'agentId'), epoch: numberField(body, 'epoch') }
    const recovered = await inbox.recover({ ...session, incarnation: textField(body, 'incarnation') })
    const unreported = recovered.unreported.map((each) => ({ ...each, outcome: outcomeToJson(each.outcome) }))
    return { unreported, againMs: recovered.againMs }
  }
  const request: ClaimRequest = readClaim(body)
  const replaces = Array.isArray(body.replaces) ? (body.replaces as Record<string, unknown>[]).map(readSettle) : []
  const result = await inbox.claim(request, { replaces })
  if (result.kind === 'claimed') return { ...result, replaced: result.replaced.map(outcomeToJson) }
  return result.kind === 'seen' ? { kind: 'seen', outcome: outcomeToJson(result.outcome) } : result
}

async function answerSettle(inbox: JournaledInbox, roster: Roster, body: Record<string, unknown>): Promise<unknown> {
  if (body.op === 'reported') {
    const identities = Array.isArray(body.identities) ? (body.identities as Record<string, unknown>[]) : []
    for (const each of identities) {
      inbox.reported({ agentId: textField(each, 'agentId'), intentId: textField(each, 'intentId') })
    }
    return {}
  }
  const request: SettleRequest = readSettle(body)
  checkEpoch(roster, request.agentId, request.epoch)
  return { outcome: outcomeToJson(await inbox.settle(request)) }
}

function checkEpoch(roster: Roster, agentId: string, epoch: number): void {
  const current = roster.get(agentId)?.epoch ?? epoch
  if (current <= epoch) return
  throw new SkeinError('fenced', `Cannot use the inbox of "${agentId}": its epoch is ${current}, not ${epoch}`, {
    details: { agentId, epoch, current },
  })
}
