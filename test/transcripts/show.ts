import {
  type Configuration,
  decodeConfigChange,
  type Entry,
  type Message,
  type PeerStatus,
  type RaftStatus,
  type SnapshotMetadata,
} from '../../src/raft/index.ts'

/** `3/2:x`: entry 3 of term 2 with the data x. */
export function showEntries(entries: readonly Entry[]): string {
  return entries.map(showEntry).join(' ')
}

function showEntry({ index, term, kind, data }: Entry): string {
  const place = `${index}/${term}`
  if (kind === 'empty') return place
  if (kind === 'command') return `${place}:${new TextDecoder().decode(data)}`
  const { mode, changes } = decodeConfigChange(data)
  const steps = changes.map(({ action, id }) => `${action} ${id}`).join(', ')
  return `${place}:(${[mode, steps].filter((part) => part !== '').join(' ')})`
}

/** `voters 1 2 3, from 1 2, learners 4, next 5, auto`. */
export function showConfiguration(configuration: Configuration): string {
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = configuration
  const parts = [`voters ${voters.join(' ') || 'none'}`]
  if (votersOutgoing.length > 0) parts.push(`from ${votersOutgoing.join(' ')}`)
  if (learners.length > 0) parts.push(`learners ${learners.join(' ')}`)
  if (learnersNext.length > 0) parts.push(`to be learners ${learnersNext.join(' ')}`)
  if (autoLeave) parts.push('leaves by itself')
  return parts.join(', ')
}

export function showSnapshot({ index, term, configuration }: SnapshotMetadata): string {
  return `${index}/${term} (${showConfiguration(configuration)})`
}

export function showMessage(message: Message): string {
  return `${message.from}->${message.to} ${message.type} term=${message.term}${showContents(message)}`
}

function showContents(message: Message): string {
  switch (message.type) {
    case 'append': {
      const entries = message.entries.length > 0 ? ` entries ${showEntries(message.entries)}` : ''
      return ` prev=${message.prevIndex}/${message.prevTerm} commit=${message.commit}${entries}`
    }
    case 'append-accepted':
      return ` index=${message.index}`
    case 'append-rejected':
      return ` index=${message.index} hint=${message.hintIndex}/${message.hintTerm}`
    case 'heartbeat':
      return ` commit=${message.commit}${message.readRound > 0 ? ` round=${message.readRound}` : ''}`
    case 'heartbeat-reply':
      return message.readRound > 0 ? ` round=${message.readRound}` : ''
    case 'vote-request':
      return `${message.preVote ? ' pre' : ''}${message.transfer ? ' transfer' : ''} last=${message.lastIndex}/${message.lastTerm} commit=${message.commit}/${message.commitTerm}`
    case 'vote-reply':
      return `${message.preVote ? ' pre' : ''} ${message.granted ? 'granted' : 'refused'} commit=${message.commit}/${message.commitTerm}`
    case 'snapshot':
      return ` ${showSnapshot(message.snapshot)}`
    case 'transfer':
      return ` target=${message.target}`
    case 'read-request':
      return ` request=${message.request}`
    case 'read-reply':
      return ` request=${message.request} index=${message.index}`
    case 'timeout-now':
      return ''
    default:
      message satisfies never
      return ''
  }
}

export function showStatus(status: RaftStatus): string {
  const { id, role, term, vote, leader, firstIndex, lastIndex, lastTerm, commit, applied, stableIndex } = status
  return `${id} ${role} term=${term} vote=${vote} leader=${leader} log=${firstIndex}..${lastIndex}/${lastTerm} stable=${stableIndex} commit=${commit} applied=${applied}`
}

export function showPeer({ id, state, match, next, paused, inflightMessages, pendingSnapshot }: PeerStatus): string {
  const window = inflightMessages > 0 ? ` inflight=${inflightMessages}` : ''
  const snapshot = pendingSnapshot > 0 ? ` snapshot=${pendingSnapshot}` : ''
  return `${id} ${state} match=${match} next=${next}${window}${snapshot}${paused ? ' paused' : ''}`
}
