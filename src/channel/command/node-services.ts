import { addressesBySubject, type Bus, type Delivery, type RequestedDurability } from '../../bus/index.ts'
import { type Clock, type Random, SkeinError, type Timer } from '../../core/index.ts'
import type { Roster } from '../ports.ts'
import { bodyHash } from './body-hash.ts'
import { CommandDispatch } from './command-dispatch.ts'
import { type CommandRecord, decodeCommand } from './command-record.ts'
import { COMMAND_NEXT } from './handed-out.ts'
import { outcomeToJson, textField } from './inbox-row.ts'
import { IntentTable, type WatchedCommand, type WatchedIntent } from './intent-table.ts'
import { type NodeInbox, openNodeInbox } from './node-inbox.ts'
import type { StoredOutcome } from './outcome.ts'
import type { KnownIntentJson } from './outcome-lookup.ts'
import { decodeReport, OUTCOMES_TOPIC, outcomesTopic } from './outcome-record.ts'
import { OutcomeReporter } from './outcome-reporter.ts'
import { answerJson, OUTCOME_GET } from './requests.ts'
import { TopicFollower, type TopicFollowerOptions } from './topic-follower.ts'
import { isUndelivered, type Sighting } from './undelivered.ts'

export interface CommandServicesOptions {
  readonly bus: Bus
  readonly clock: Clock
  readonly random: Random
  readonly roster: Roster
  /** Of the topics of inboxes and outcomes. Default `safe`. */
  readonly durability?: RequestedDurability
  /** An agent that the node has not heard of for so long claims nothing: its lease is over. Default 10,000. */
  readonly leaseMs?: number
  /** Commands remembered for `outcome()`, each agent of an intent counted. Default 200,000. */
  readonly commandsMax?: number
  readonly onError?: (error: unknown) => void
}

/**
 * What a node does for commands: it keeps the inboxes of agents without a disk, answers `outcome()`, hands out commands
 * where their broker does not address by subject, and withdraws those that provably reached nobody in time.
 */
export interface CommandServices {
  /** Watches the commands of this topic. Idempotent; the topic must be open. Resolves when it has caught up. */
  watch(topic: string): Promise<void>
  drain(): Promise<void>
  close(): Promise<void>
}

export async function openCommandServices(options: CommandServicesOptions): Promise<CommandServices> {
  await options.bus.open(outcomesTopic(options.durability))
  const { bus, clock, roster, durability = 'safe' } = options
  const services = new Services(options, await openNodeInbox({ bus, clock, roster, durability }))
  await services.begin()
  return services
}

const REMEMBERED_MS = 86_400_000
/** How long after a deadline its agent has to say so itself. */
const WITHDRAW_AFTER_MS = 500
/** Deadlines are looked after together in steps of so much. */
const STEP_MS = 250

class Services implements CommandServices {
  readonly #options: CommandServicesOptions
  readonly #inbox: NodeInbox
  readonly #table: IntentTable
  readonly #reporter: OutcomeReporter
  readonly #followers = new Map<string, TopicFollower>()
  /** Intents to look at when their step has come; one timer for each step. */
  readonly #due = new Map<number, { readonly intentIds: Set<string>; readonly timer: Timer }>()
  readonly #stop = new AbortController()
  readonly #leaseMs: number
  readonly #startedAtMs: number
  readonly #dispatch: CommandDispatch
  #stopAnswering: ReadonlyArray<() => Promise<void>> = []

  constructor(options: CommandServicesOptions, inbox: NodeInbox) {
    this.#options = options
    this.#inbox = inbox
    this.#table = new IntentTable({ commandsMax: options.commandsMax ?? 200_000 })
    this.#leaseMs = options.leaseMs ?? 10_000
    this.#startedAtMs = options.clock.nowMs()
    const { bus, clock, random, onError = () => {} } = options
    this.#dispatch = new CommandDispatch({ clock, onWanted: (topic) => void this.#watchWanted(topic) })
    this.#reporter = new OutcomeReporter({ bus, clock, random, onReported: () => {}, onError })
  }

  async begin(): Promise<void> {
    await this.#follow(OUTCOMES_TOPIC, (delivery) => {
      const report = decodeReport(delivery)
      if (report === undefined) return
      this.#table.report(report.intentId, report.agentId, report.outcome)
      this.#dispatch.forget(report.agentId, report.intentId)
    })
    const answer = answerJson(async (body) => this.#known(textField(body, 'intentId')))
    const { requests } = this.#options.bus
    this.#stopAnswering = await Promise.all([
      requests.answer(OUTCOME_GET, answer),
      requests.answer(COMMAND_NEXT, (request) => this.#dispatch.answer(request)),
    ])
  }

  async watch(topic: string): Promise<void> {
    const { spec, capabilities } = await this.#options.bus.admin.describeTopic(topic)
    const isLive = spec.storage === 'ephemeral'
    const isHandedOut = !isLive && !addressesBySubject(capabilities)
    await this.#follow(topic, (delivery) => this.#seen(delivery, isHandedOut), isLive)
  }

  async drain(): Promise<void> {
    await this.close()
  }

  async close(): Promise<void> {
    if (this.#stop.signal.aborted) return
    this.#stop.abort()
    for (const { timer } of this.#due.values()) timer.cancel()
    this.#dispatch.close()
    await Promise.all(this.#stopAnswering.map((stop) => stop()))
    await Promise.all(Array.from(this.#followers.values(), (follower) => follower.close()))
    await this.#reporter.close()
    await this.#inbox.close()
  }

  /** An agent waits for commands of a topic that this node has not found yet: it is looked at now. */
  async #watchWanted(topic: string): Promise<void> {
    if (this.#followers.has(topic) || this.#stop.signal.aborted) return
    try {
      const { spec } = await this.#options.bus.admin.describeTopic(topic)
      if (spec.intent === 'command') await this.watch(topic)
    } catch (error) {
      // Who asks for a topic that is not there waits for nothing.
      if (!(error instanceof SkeinError && error.code === 'not-found')) this.#options.onError?.(error)
    }
  }

  #follow(topic: string, onDelivery: TopicFollowerOptions['onDelivery'], isLive = false): Promise<void> {
    const known = this.#followers.get(topic)
    if (known !== undefined) return known.caughtUp
    const { bus, clock, random, onError = () => {} } = this.#options
    const from = isLive ? 'live' : { timestampMs: clock.nowMs() - REMEMBERED_MS }
    const follower = new TopicFollower({ bus, clock, random, topic, from, onDelivery, onError })
    this.#followers.set(topic, follower)
    return follower.caughtUp
  }

  #known(intentId: string): KnownIntentJson {
    const intent = this.#table.intent(intentId)
    return {
      sent: intent && { bodyHash: intent.bodyHash, type: intent.type, deadlineMs: intent.deadlineMs },
      outcomes: [...this.#table.outcomes(intentId)].map(([agentId, outcome]) => [agentId, outcomeToJson(outcome)]),
      pending: this.#table.unanswered(intentId).map((command) => command.agentId),
    }
  }

  #seen(delivery: Delivery, isHandedOut: boolean): Promise<void> | undefined {
    let record: CommandRecord
    try {
      record = decodeCommand(delivery)
    } catch {
      // Its reader puts it among the dead letters; there is no outcome to watch for.
      return undefined
    }
    const hash = bodyHash(record.type, delivery.value ?? new Uint8Array())
    const commands = record.addressees.map(
      (each): WatchedCommand => ({
        agentId: each.agentId,
        sentEpoch: each.epoch,
        held: each.held,
        sentAtMs: delivery.appendedAtMs,
        sighting: this.#sightingAt(each.agentId, delivery.appendedAtMs),
      }),
    )
    this.#table.sent(record, { hash }, commands)
    this.#lookLater(record.intentId, record.deadlineMs)
    return isHandedOut ? this.#handOut(delivery, record) : undefined
  }

  /** What is over already is history, read after a start. */
  #handOut(delivery: Delivery, record: CommandRecord): Promise<void> | undefined {
    if (record.deadlineMs < this.#options.clock.nowMs()) return undefined
    const outcomes = this.#table.outcomes(record.intentId)
    const agentIds = record.addressees.map(({ agentId }) => agentId).filter((agentId) => !outcomes.has(agentId))
    return this.#dispatch.add(delivery, record, agentIds)
  }

  /**
   * What the roster shows of an agent that a command was just sent to. When an agent was heard last is known only from
   * this node's own time; what came before, or while a lease of before may hold, proves nothing, but for a leaving.
   */
  #sightingAt(agentId: string, sentAtMs: number): Sighting | undefined {
    const sighting = this.#sighting(agentId)
    if (sighting?.liveness === 'left') return sighting
    return sentAtMs >= this.#startedAtMs + this.#leaseMs ? sighting : undefined
  }

  #sighting(agentId: string): Sighting | undefined {
    const record = this.#options.roster.get(agentId)
    return record && { epoch: record.epoch, liveness: record.liveness, seenAtMs: record.seenAtMs }
  }

  // — Withdrawing

  #lookLater(intentId: string, deadlineMs: number): void {
    const { clock } = this.#options
    const step = Math.ceil((deadlineMs + WITHDRAW_AFTER_MS) / STEP_MS)
    const due = this.#due.get(step)
    if (due !== undefined) {
      due.intentIds.add(intentId)
      return
    }
    const timer = clock.setTimer(() => this.#look(step), Math.max(0, step * STEP_MS - clock.nowMs()))
    this.#due.set(step, { intentIds: new Set([intentId]), timer })
  }

  #look(step: number): void {
    const due = this.#due.get(step)
    this.#due.delete(step)
    for (const intentId of due?.intentIds ?? []) {
      const intent = this.#table.intent(intentId)
      if (intent === undefined) continue
      // The wall clock was set back meanwhile: the deadline is still to come.
      if (this.#options.clock.nowMs() <= intent.deadlineMs) this.#lookLater(intentId, intent.deadlineMs)
      else {
        for (const agentId of intent.commands.keys()) this.#dispatch.forget(agentId, intentId)
        for (const command of this.#table.unanswered(intentId)) void this.#withdraw(intent, command)
      }
    }
  }

  async #withdraw(intent: WatchedIntent, command: WatchedCommand): Promise<void> {
    try {
      const outcome = await this.#verdict(intent, command)
      if (outcome === undefined || this.#stop.signal.aborted) return
      const { intentId, sender, type } = intent
      this.#reporter.report({ intentId, agentId: command.agentId, sender, type, outcome })
    } catch (error) {
      this.#options.onError?.(error)
    }
  }

  /** `expired` only where nobody can have claimed it; undefined leaves the word to the agent. */
  async #verdict(intent: WatchedIntent, command: WatchedCommand): Promise<StoredOutcome | undefined> {
    const atMs = this.#options.clock.nowMs()
    const now = this.#sighting(command.agentId)
    if (isUndelivered(command, command.sighting, now, this.#leaseMs)) {
      return { state: 'expired', reason: 'undelivered', message: 'Its agent was away until its deadline', atMs }
    }
    // All claims of this epoch go through the inbox that is held here: what is not in it was never claimed.
    const { inbox } = this.#inbox
    if (now === undefined || inbox.sessionOf(command.agentId) !== now.epoch) return undefined
    if (now.epoch !== command.sentEpoch) return undefined
    const message = 'It was not claimed before its deadline'
    return inbox.withdraw({
      ...{ intentId: intent.intentId, sender: intent.sender, type: intent.type, bodyHash: intent.bodyHash },
      ...{ deadlineMs: intent.deadlineMs, agentId: command.agentId, sentEpoch: command.sentEpoch },
      ...{ epoch: now.epoch, held: command.held, incarnation: 'withdrawn', idempotent: false },
      outcome: { state: 'expired', reason: 'deadline', message, atMs },
    })
  }
}
