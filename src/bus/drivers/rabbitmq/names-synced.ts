/**
 * Ra, the broker's consensus, keeps the names of its members in a table that goes to disk half a second after the last change
 * (`ra_directory`, `auto_save`). A broker killed before that forgets a new queue together with what it has confirmed since:
 * nobody is to write earlier.
 */
export const NAMES_SYNCED_WITHIN_MS = 1_000
