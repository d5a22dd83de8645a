import { type Entry, entryBytes } from './entry.ts'
import type { HardState } from './hard-state.ts'
import { beginReadRound, readRoundConfirmed } from './leader-reads.ts'
import { sendAppends, sendHeartbeats } from './leader-replication.ts'
import type { Message } from './message.ts'
import type { RaftCore } from './raft-core.ts'
import type { PersistToken, Ready, SoftState } from './ready.ts'

const NO_ENTRIES: readonly Entry[] = []
const NO_MESSAGES: readonly Message[] = []

/** Gathers what there is to do, and counts it as handed out. */
export function takeReady(core: RaftCore): Ready | undefined {
  sendWhatGathered(core)
  const softState = takeSoftState(core)
  const isPromise = core.term !== core.handedHardState.term || core.vote !== core.handedHardState.vote
  const hardState = takeHardState(core)
  const { entries, snapshot } = core.log.takeUnhanded()
  const committed = takeCommitted(core)
  const { readStates, abortedReads } = takeReads(core)
  const mustSync = isPromise || entries.length > 0 || snapshot !== undefined
  const { messages, messagesAfterPersist } = takeMessages(core, mustSync || !core.isAllDurable)
  const needsPersist = mustSync || hardState !== undefined || messagesAfterPersist.length > 0
  const isEmpty =
    !needsPersist &&
    softState === undefined &&
    committed.length + readStates.length + abortedReads.length + messages.length === 0
  if (isEmpty) return undefined
  return {
    softState,
    hardState,
    entries,
    snapshot,
    mustSync,
    committed,
    readStates,
    abortedReads,
    messages,
    messagesAfterPersist,
    token: needsPersist ? pushPersist(core) : undefined,
  }
}

/** What came in since the last time is answered together: one append, one round of heartbeats, one request for many. */
function sendWhatGathered(core: RaftCore): void {
  if (core.role === 'leader') {
    if (beginReadRound(core)) {
      sendHeartbeats(core)
      readRoundConfirmed(core)
    }
    sendAppends(core)
  } else if (core.forwardedReads.hasGathered) {
    const { id: from, leader: to, term } = core
    core.outbox.atOnce({ type: 'read-request', from, to, term, request: core.forwardedReads.send() })
  }
}

function takeSoftState(core: RaftCore): SoftState | undefined {
  const { role, leader, handedSoftState: handed } = core
  if (handed.role === role && handed.leader === leader) return undefined
  core.handedSoftState = { role, leader }
  return core.handedSoftState
}

function takeHardState(core: RaftCore): HardState | undefined {
  const { term, vote, handedHardState: handed } = core
  const { commit } = core.log
  if (handed.term === term && handed.vote === vote && handed.commit === commit) return undefined
  core.handedHardState = { term, vote, commit }
  return core.handedHardState
}

/** What is committed and durable here: a state machine that keeps its own state must never be ahead of the stored log. */
function takeCommitted(core: RaftCore): readonly Entry[] {
  const { log, applyWindow } = core
  const through = Math.min(log.commit, log.stable)
  if (through <= core.handedToApply || applyWindow.room <= 0) return NO_ENTRIES
  const entries = log.slice(core.handedToApply + 1, { bytesMax: applyWindow.room, through })
  let bytes = 0
  for (const entry of entries) {
    bytes += entryBytes(entry)
    if (entry.kind === 'config') core.handedConfigIndexes.push(entry.index)
  }
  core.handedToApply += entries.length
  applyWindow.handedOut(core.handedToApply, bytes)
  return entries
}

function takeReads(core: RaftCore): Pick<Ready, 'readStates' | 'abortedReads'> {
  const { readStates, abortedReads } = core
  if (readStates.length > 0) core.readStates = []
  if (abortedReads.length > 0) core.abortedReads = []
  return { readStates, abortedReads }
}

/** What waits for a persist may leave at once when everything is durable already. */
function takeMessages(core: RaftCore, mustWait: boolean): Pick<Ready, 'messages' | 'messagesAfterPersist'> {
  const messages = core.outbox.takeAtOnce()
  const waiting = core.outbox.takeAfterPersist()
  if (mustWait) return { messages, messagesAfterPersist: waiting }
  if (waiting.length === 0) return { messages, messagesAfterPersist: waiting }
  return { messages: [...messages, ...waiting], messagesAfterPersist: NO_MESSAGES }
}

function pushPersist(core: RaftCore): PersistToken {
  const { term, vote, log } = core
  return core.persists.push({ term, vote, index: log.lastIndex, entryTerm: log.lastTerm })
}
