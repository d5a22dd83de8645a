import { type ErrorCode, SkeinError } from '../core/index.ts'

/** What `skein` exits with; `docs/reference/cli.md` lists them for scripts. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  connection: 3,
  notFound: 4,
  refused: 5,
  timeout: 6,
  commandNotDone: 7,
  commandUnknown: 8,
  portInUse: 10,
  locked: 11,
  diskFull: 12,
  futureVersion: 13,
  corrupt: 14,
  logPoisoned: 15,
  interrupted: 130,
} as const

const BY_CODE: Readonly<Partial<Record<ErrorCode, number>>> = {
  'bad-argument': EXIT.usage,
  'bad-config': EXIT.usage,
  // Whatever in a file is wrong, a name in it too: the command was right.
  'bad-input': EXIT.failed,
  'bad-subject': EXIT.usage,
  'connection-lost': EXIT.connection,
  'no-responder': EXIT.connection,
  'not-leader': EXIT.connection,
  'malformed-frame': EXIT.connection,
  'not-found': EXIT.notFound,
  'unknown-agent': EXIT.notFound,
  'config-change-refused': EXIT.refused,
  'id-reused': EXIT.refused,
  'wrong-cluster': EXIT.refused,
  'message-too-large': EXIT.refused,
  'quota-exceeded': EXIT.refused,
  'schema-mismatch': EXIT.refused,
  overloaded: EXIT.refused,
  unauthorised: EXIT.refused,
  unsupported: EXIT.refused,
  timeout: EXIT.timeout,
  'outcome-unknown': EXIT.commandUnknown,
  'port-in-use': EXIT.portInUse,
  locked: EXIT.locked,
  'disk-full': EXIT.diskFull,
  'future-version': EXIT.futureVersion,
  corrupt: EXIT.corrupt,
  'log-poisoned': EXIT.logPoisoned,
  aborted: EXIT.interrupted,
}

/** The exit code of a failure: that of the first error in its chain of causes that has one of its own. */
export function exitCodeOf(error: unknown): number {
  for (let current = error; current instanceof Error; current = current.cause) {
    if (current.name === 'AbortError') return EXIT.interrupted
    const code = current instanceof SkeinError ? BY_CODE[current.code] : undefined
    if (code !== undefined) return code
  }
  return EXIT.failed
}
