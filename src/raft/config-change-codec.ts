import { SkeinError } from '../core/index.ts'
import type { ConfigChange, MemberChange } from './config-change.ts'
import { ConfigChangeError } from './errors.ts'

const VERSION = 1
const MODES = ['auto', 'joint', 'joint-until-left', 'leave'] as const
const ACTIONS = ['add-voter', 'add-learner', 'remove'] as const
const CHANGES_MAX = 65_535
const HEADER_BYTES = 4
const CHANGE_BYTES = 9

/**
 * A configuration change as an entry's bytes: version, mode, count of changes (2 bytes, little-endian); for each the action
 * and the id (8 bytes, a double, exact for safe integers); the rest is the context. Throws `ConfigChangeError`.
 */
export function encodeConfigChange(change: ConfigChange): Uint8Array {
  checkSayable(change)
  const context = change.context ?? new Uint8Array(0)
  const bytes = new Uint8Array(HEADER_BYTES + change.changes.length * CHANGE_BYTES + context.length)
  const view = new DataView(bytes.buffer)
  view.setUint8(0, VERSION)
  view.setUint8(1, MODES.indexOf(change.mode))
  view.setUint16(2, change.changes.length, true)
  let at = HEADER_BYTES
  for (const { action, id } of change.changes) {
    view.setUint8(at, ACTIONS.indexOf(action))
    view.setFloat64(at + 1, id, true)
    at += CHANGE_BYTES
  }
  bytes.set(context, at)
  return bytes
}

function checkSayable({ mode, changes }: ConfigChange): void {
  if (!MODES.includes(mode)) throw new ConfigChangeError('bad-change', `"${mode}" is no mode of a change`)
  if (changes.length > CHANGES_MAX) throw new ConfigChangeError('bad-change', `it has more than ${CHANGES_MAX} steps`)
  const unknown = changes.find(({ action }) => !ACTIONS.includes(action))
  if (unknown !== undefined) throw new ConfigChangeError('bad-change', `"${unknown.action}" is no action on a member`)
}

/** The change in a `config` entry. Throws `future-version` or `corrupt` for bytes that are none. */
export function decodeConfigChange(bytes: Uint8Array): ConfigChange {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < HEADER_BYTES) throw corrupt('it is too short')
  if (view.getUint8(0) !== VERSION) {
    const found = view.getUint8(0)
    throw new SkeinError('future-version', `Cannot read a configuration change of version ${found}: this build knows 1`)
  }
  const mode = MODES[view.getUint8(1)]
  const end = HEADER_BYTES + view.getUint16(2, true) * CHANGE_BYTES
  if (mode === undefined || end > bytes.length) throw corrupt('its header makes no sense')
  const changes: MemberChange[] = []
  for (let at = HEADER_BYTES; at < end; at += CHANGE_BYTES) {
    const action = ACTIONS[view.getUint8(at)]
    const id = view.getFloat64(at + 1, true)
    if (action === undefined || !Number.isSafeInteger(id)) throw corrupt('one of its changes makes no sense')
    changes.push({ action, id })
  }
  return end === bytes.length ? { mode, changes } : { mode, changes, context: bytes.slice(end) }
}

function corrupt(why: string): SkeinError {
  return new SkeinError('corrupt', `Cannot read a configuration change: ${why}`)
}
