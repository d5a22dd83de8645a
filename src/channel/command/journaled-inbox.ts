import { type Clock, ClosedError, SkeinError } from '../../core/index.ts'
import { type ClaimDecision, type DecisionContext, decideClaim, decideRecovery, decideSettle } from './decide-claim.ts'
import type { InboxChange } from './inbox-change.ts'
import { type InboxRow, rowKey } from './inbox-row.ts'
import type { ClaimRequest, ClaimResult, InboxSession, InboxStore, SettleRequest, Unreported } from './inbox-store.ts'
import type { StoredOutcome } from './outcome.ts'

/** Where an inbox writes what it decided. */
export interface InboxJournal {
  /**
   * Resolves when the changes survive what the medium can survive; in the order of the calls. `applied` is called in
   * the same turn as they are: whoever writes a snapshot finds them in it.
   */
  append(changes: readonly InboxChange[], applied: () => void): Promise<void>
  /** Written with the next append, or lost in a crash: for what only spares work. */
  note(change: InboxChange): void
  close(): Promise<void>
}

export interface JournaledInboxOptions {
  readonly clock: Clock
  readonly journal: InboxJournal
  /** Node time as this inbox sees it. */
  readonly nodeTime: { latestMs(): number | undefined; earliestMs(): number | undefined }
  readonly rowsMax: number
  readonly graceMs: number
}

const SWEEP_EVERY_MS = 5_000

/**
 * The state of an inbox: decides in memory, and answers once the journal has it. A row that is being written is locked,
 * so that nothing is decided on what is not yet durable, and a failed write leaves no trace.
 */
export class JournaledInbox implements InboxStore {
  readonly #options: JournaledInboxOptions
  readonly #rows = new Map<string, InboxRow>()
  readonly #writing = new Map<string, Promise<void>>()
  readonly #sessions = new Map<string, number>()
  #forgottenThroughMs = Number.NEGATIVE_INFINITY
  #sweptAtMs: number
  #closed = false

  constructor(options: JournaledInboxOptions) {
    this.#options = options
    this.#sweptAtMs = options.clock.monotonicMs()
  }

  /** Folds in what a journal held when it was opened. */
  restore(change: InboxChange): void {
    if (change.kind === 'forget') this.#forget(change.throughMs, change.keys)
    else if (change.kind === 'session') this.#sessions.set(change.agentId, change.epoch)
    else {
      const key = rowKey(change.row.agentId, change.row.intentId)
      this.#rows.set(key, newerRow(this.#rows.get(key), change.row))
    }
  }

  /** Everything remembered, as changes: what a journal writes when it starts anew. */
  snapshot(): readonly InboxChange[] {
    const changes = Array.from(this.#rows.values(), (row): InboxChange => ({ kind: 'row', row }))
    for (const [agentId, epoch] of this.#sessions) changes.push({ kind: 'session', agentId, epoch })
    if (this.#forgottenThroughMs !== Number.NEGATIVE_INFINITY) {
      changes.push({ kind: 'forget', throughMs: this.#forgottenThroughMs, keys: [] })
    }
    return changes
  }

  /** The newest epoch under which an agent began to keep its inbox here. */
  sessionOf(agentId: string): number | undefined {
    return this.#sessions.get(agentId)
  }

  get size(): number {
    return this.#rows.size
  }

  async claim(
    request: ClaimRequest,
    options: { readonly replaces?: readonly SettleRequest[] } = {},
  ): Promise<ClaimResult> {
    const replaces = options.replaces ?? []
    const release = await this.#lock([request, ...replaces])
    try {
      this.#checkSession(request)
      const decision = decideClaim(this.#row(request), request, this.#context())
      if (decision.kind !== 'claim') return toClaimResult(await this.#store(decision))
      this.#checkRoom(1 + replaces.length)
      const context = this.#context()
      const displaced = replaces.map((replaced) => decideSettle(this.#row(replaced), replaced, context))
      await this.#write([decision, ...displaced])
      return { kind: 'claimed', again: decision.again, replaced: displaced.map(toOutcome) }
    } finally {
      release()
    }
  }

  async settle(request: SettleRequest): Promise<StoredOutcome> {
    const release = await this.#lock([request])
    try {
      this.#checkSession(request)
      return toOutcome(await this.#store(decideSettle(this.#row(request), request, this.#context())))
    } finally {
      release()
    }
  }

  /**
   * Stores an outcome for a command that was never claimed. Undefined when it was: then only its agent may say what
   * became of it.
   */
  async withdraw(request: SettleRequest): Promise<StoredOutcome | undefined> {
    const release = await this.#lock([request])
    try {
      const row = this.#row(request)
      if (row !== undefined) return row.outcome
      return toOutcome(await this.#store(decideSettle(undefined, request, this.#context())))
    } finally {
      release()
    }
  }

  reported(identity: { readonly intentId: string; readonly agentId: string }): void {
    const row = this.#row(identity)
    if (this.#closed || row?.outcome === undefined || row.reported) return
    const noted = { ...row, reported: true }
    this.#rows.set(rowKey(row.agentId, row.intentId), noted)
    this.#options.journal.note({ kind: 'row', row: noted })
  }

  async recover(session: InboxSession): Promise<{
    readonly unreported: readonly Unreported[]
    readonly againMs: number | undefined
  }> {
    const { agentId, epoch } = session
    this.#checkSession(session)
    if (this.#sessions.get(agentId) !== epoch) {
      await this.#options.journal.append([{ kind: 'session', agentId, epoch }], () => {
        this.#sessions.set(agentId, epoch)
      })
    }
    const unreported: Unreported[] = []
    let againMs: number | undefined
    for (const row of [...this.#rows.values()]) {
      if (row.agentId !== agentId || row.reported) continue
      if (row.epoch > epoch) throw fenced(row.epoch)
      const outcome = await this.#recoverRow(row, session.incarnation)
      if (outcome !== undefined) {
        unreported.push({ intentId: row.intentId, sender: row.sender, type: row.type, outcome })
      } else if (row.outcome === undefined && row.incarnation !== session.incarnation) {
        againMs = Math.max(againMs ?? 0, row.deadlineMs)
      }
    }
    return { unreported, againMs }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#options.journal.close()
  }

  async #recoverRow(seen: InboxRow, incarnation: string): Promise<StoredOutcome | undefined> {
    const release = await this.#lock([seen])
    try {
      const row = this.#row(seen)
      if (row === undefined || row.outcome !== undefined) return row?.outcome
      const settled = decideRecovery(row, incarnation, this.#context())
      if (settled?.outcome === undefined) return undefined
      await this.#write([{ kind: 'answer', outcome: settled.outcome, row: settled }])
      return settled.outcome
    } finally {
      release()
    }
  }

  /** A newer epoch has begun to keep its inbox here: an older one may not even claim what nobody has seen yet. */
  #checkSession(of: { readonly agentId: string; readonly epoch: number }): void {
    const newest = this.#sessions.get(of.agentId)
    if (newest !== undefined && newest > of.epoch) throw fenced(newest)
  }

  #row(of: { readonly agentId: string; readonly intentId: string }): InboxRow | undefined {
    return this.#rows.get(rowKey(of.agentId, of.intentId))
  }

  #context(): DecisionContext {
    return {
      latestNodeMs: this.#options.nodeTime.latestMs(),
      forgottenThroughMs: this.#forgottenThroughMs,
      graceMs: this.#options.graceMs,
    }
  }

  async #lock(of: readonly { readonly agentId: string; readonly intentId: string }[]): Promise<() => void> {
    const keys = of.map((each) => rowKey(each.agentId, each.intentId))
    for (;;) {
      if (this.#closed) throw new ClosedError('the inbox')
      const held = keys.find((key) => this.#writing.has(key))
      if (held === undefined) break
      await this.#writing.get(held)
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    for (const key of keys) this.#writing.set(key, promise)
    return () => {
      for (const key of keys) this.#writing.delete(key)
      resolve()
    }
  }

  async #store(decision: ClaimDecision): Promise<ClaimDecision> {
    if (decision.kind === 'fenced') throw fenced(decision.newerEpoch)
    if (decision.kind !== 'answer' || decision.row === undefined) return decision
    // What expired needs no row when there is no room: a repeat of it expires again.
    if (!this.#hasRoom(1) && !this.#row(decision.row) && decision.outcome.state === 'expired') return decision
    if (!this.#row(decision.row)) this.#checkRoom(1)
    await this.#write([decision])
    return decision
  }

  async #write(decisions: readonly ClaimDecision[]): Promise<void> {
    const rows = decisions.flatMap((decision) => ('row' in decision && decision.row ? [decision.row] : []))
    if (rows.length === 0) return
    const changes = rows.map((row): InboxChange => ({ kind: 'row', row }))
    await this.#options.journal.append(changes, () => {
      for (const row of rows) this.#rows.set(rowKey(row.agentId, row.intentId), row)
    })
    this.#sweepSometimes()
  }

  #checkRoom(rows: number): void {
    if (this.#hasRoom(rows)) return
    this.#sweep()
    if (this.#hasRoom(rows)) return
    throw new SkeinError(
      'overloaded',
      `Cannot claim a command: the inbox remembers ${this.#rows.size} and none may be forgotten yet; try again later`,
      { retryable: true, details: { rows: this.#rows.size, rowsMax: this.#options.rowsMax } },
    )
  }

  #hasRoom(rows: number): boolean {
    return this.#rows.size + rows <= this.#options.rowsMax
  }

  #sweepSometimes(): void {
    const nowMs = this.#options.clock.monotonicMs()
    if (nowMs - this.#sweptAtMs < SWEEP_EVERY_MS) return
    this.#sweptAtMs = nowMs
    this.#sweep()
  }

  #sweep(): void {
    const earliestMs = this.#options.nodeTime.earliestMs()
    if (earliestMs === undefined) return
    const keys: string[] = []
    let throughMs = Number.NEGATIVE_INFINITY
    for (const [key, row] of this.#rows) {
      if (row.outcome === undefined || row.keepUntilMs >= earliestMs || this.#writing.has(key)) continue
      keys.push(key)
      throughMs = Math.max(throughMs, row.deadlineMs)
    }
    if (keys.length === 0) return
    this.#forget(throughMs, keys)
    this.#options.journal.note({ kind: 'forget', throughMs, keys })
  }

  #forget(throughMs: number, keys: readonly string[]): void {
    for (const key of keys) this.#rows.delete(key)
    this.#forgottenThroughMs = Math.max(this.#forgottenThroughMs, throughMs)
  }
}

/** Of two states of one row the later one, whichever was read first: reported after decided after claimed. */
function newerRow(one: InboxRow | undefined, other: InboxRow): InboxRow {
  if (one === undefined) return other
  const rank = (row: InboxRow) => (row.outcome === undefined ? 0 : row.reported ? 2 : 1)
  if (rank(one) !== rank(other)) return rank(one) > rank(other) ? one : other
  return one.epoch > other.epoch ? one : other
}

function toClaimResult(decision: ClaimDecision): ClaimResult {
  if (decision.kind === 'answer') return { kind: 'seen', outcome: decision.outcome }
  return { kind: 'conflict' }
}

function toOutcome(decision: ClaimDecision): StoredOutcome {
  if (decision.kind === 'answer') return decision.outcome
  if (decision.kind === 'fenced') throw fenced(decision.newerEpoch)
  return {
    state: 'rejected',
    reason: 'intent-reused',
    message: 'The same intent id was used before with another body; use a new id for a new command',
    atMs: 0,
  }
}

function fenced(newerEpoch: number): SkeinError {
  return new SkeinError(
    'fenced',
    `Cannot use the inbox: epoch ${newerEpoch} of this agent has used it; join again for a newer one`,
    { details: { newerEpoch } },
  )
}
