export type Verb = 'publish' | 'consume' | 'ask' | 'answer' | 'open' | 'administer'

/**
 * Asked for every distinct subject of a batch, every filter of a reader, every request. Throws `unauthorised`. It
 * answers at once: what it needs to know has been fetched before, so that order is kept.
 */
export type Authorise = (principal: string | undefined, verb: Verb, subject: string) => void
