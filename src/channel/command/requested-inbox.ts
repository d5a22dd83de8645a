import type { Bus } from '../../bus/index.ts'
import { type Clock, ClosedError, type Random, SkeinError, type Timer } from '../../core/index.ts'
import { backoffMs } from './backoff.ts'
import { numberField, outcomeFromJson, textField } from './inbox-row.ts'
import type {
  ClaimRequest,
  ClaimResult,
  InboxCallOptions,
  InboxSession,
  InboxStore,
  SettleRequest,
  Unreported,
} from './inbox-store.ts'
import { settleToJson } from './inbox-wire.ts'
import type { OutcomeIdentity, StoredOutcome } from './outcome.ts'
import { askNode, INBOX_CLAIM, INBOX_SETTLE } from './requests.ts'

export interface RequestedInboxOptions {
  readonly bus: Bus
  readonly clock: Clock
  readonly random: Random
  /** For one call to the node; lost ones are asked again until the caller's signal. Default 2,000. */
  readonly timeoutMs?: number
}

/** The inbox of an agent without a disk: its node holds it, and each claim is a call. */
export function requestedInbox(options: RequestedInboxOptions): InboxStore {
  return new RequestedInbox(options)
}

/** What the same question may get over: the node is away, or its answer was lost. */
const ASK_AGAIN: ReadonlySet<string> = new Set(['timeout', 'connection-lost', 'no-responder'])
const NOTE_DELAY_MS = 200
const NOTES_MAX = 1_000

class RequestedInbox implements InboxStore {
  readonly #options: Required<RequestedInboxOptions>
  readonly #stop = new AbortController()
  #notes: OutcomeIdentity[] = []
  #notesTimer: Timer | undefined

  constructor(options: RequestedInboxOptions) {
    this.#options = { timeoutMs: 2_000, ...options }
  }

  async claim(
    request: ClaimRequest,
    options: InboxCallOptions & { readonly replaces?: readonly SettleRequest[] } = {},
  ): Promise<ClaimResult> {
    const { replaces = [], signal } = options
    const answer = await this.#ask(INBOX_CLAIM, { ...request, replaces: replaces.map(settleToJson) }, signal)
    if (answer.kind === 'conflict') return { kind: 'conflict' }
    if (answer.kind === 'seen') return { kind: 'seen', outcome: outcomeFromJson(answer.outcome) }
    const replaced = (answer.replaced as unknown[]).map(outcomeFromJson)
    return { kind: 'claimed', again: answer.again === true, replaced }
  }

  async settle(request: SettleRequest, options: InboxCallOptions = {}): Promise<StoredOutcome> {
    const answer = await this.#ask(INBOX_SETTLE, settleToJson(request), options.signal)
    return outcomeFromJson(answer.outcome)
  }

  reported(identity: OutcomeIdentity): void {
    if (this.#stop.signal.aborted || this.#notes.length >= NOTES_MAX) return
    this.#notes.push({ agentId: identity.agentId, intentId: identity.intentId })
    this.#notesTimer ??= this.#options.clock.setTimer(() => void this.#sendNotes(), NOTE_DELAY_MS)
  }

  async recover(session: InboxSession, options: InboxCallOptions = {}) {
    const answer = await this.#ask(INBOX_CLAIM, { op: 'recover', ...session }, options.signal)
    const unreported = (answer.unreported as Record<string, unknown>[]).map(
      (each): Unreported => ({
        intentId: textField(each, 'intentId'),
        sender: textField(each, 'sender'),
        type: textField(each, 'type'),
        outcome: outcomeFromJson(each.outcome),
      }),
    )
    return { unreported, againMs: answer.againMs === undefined ? undefined : numberField(answer, 'againMs') }
  }

  async close(): Promise<void> {
    if (this.#stop.signal.aborted) return
    await this.#sendNotes()
    this.#stop.abort(new ClosedError('the inbox'))
  }

  async #sendNotes(): Promise<void> {
    this.#notesTimer?.cancel()
    this.#notesTimer = undefined
    const identities = this.#notes.splice(0)
    if (identities.length === 0) return
    const { bus, timeoutMs } = this.#options
    // Lost notes cost a repeated report after a restart, nothing more.
    await askNode(bus.requests, INBOX_SETTLE, { op: 'reported', identities }, { timeoutMs }).catch(() => {})
  }

  /** Asks until there is an answer: a repeated claim of the same receiver gets the same one. */
  async #ask(subject: string, body: unknown, signal: AbortSignal | undefined): Promise<Record<string, unknown>> {
    const { bus, clock, random, timeoutMs } = this.#options
    const stop = signal === undefined ? this.#stop.signal : AbortSignal.any([signal, this.#stop.signal])
    for (let failures = 0; ; failures += 1) {
      stop.throwIfAborted()
      try {
        return await askNode(bus.requests, subject, body, { timeoutMs, signal: stop })
      } catch (error) {
        if (stop.aborted || !(error instanceof SkeinError && ASK_AGAIN.has(error.code))) throw error
      }
      await clock.sleep(backoffMs(failures, { firstMs: 20, maxMs: 2_000, random }), { signal: stop })
    }
  }
}
