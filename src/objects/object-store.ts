/** What is known of an object without its bytes. */
export interface ObjectInfo {
  readonly name: string
  readonly bytes: number
}

/**
 * Where claim checks, snapshots and archives keep their bytes. Names are levels of letters, digits, `.`, `_`, `-`, `#`
 * and `~`, separated by `/`. What `put` has resolved survives what the store's disk or service survives.
 */
export interface ObjectStore {
  /** Stores an object at once or not at all; replaces one of this name. Rejects with `disk-full`, `message-too-large`. */
  put(name: string, bytes: Uint8Array): Promise<void>
  /**
   * Stores an object where there is none of this name: of several who try, one succeeds. Resolves to whether these bytes
   * stand there now; false: somebody else's do. Put into them what nobody else would write (an id of the writer), so that a
   * try whose answer was lost is known again. Rejects as `put` does.
   */
  create(name: string, bytes: Uint8Array): Promise<boolean>
  /** Rejects with `not-found`. */
  get(name: string): Promise<Uint8Array>
  stat(name: string): Promise<ObjectInfo | undefined>
  /** Of one that does not exist: nothing. */
  delete(name: string): Promise<void>
  /** Objects whose names begin with the prefix, which ends with `/` or is empty; sorted by name. */
  list(prefix: string): Promise<readonly ObjectInfo[]>
}
