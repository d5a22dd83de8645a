import { SkeinError } from '../core/index.ts'

const LOOPBACK = /^(localhost|::1|\[::1\]|127(\.\d{1,3}){3})$/

/** Nobody but this machine can reach it. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host)
}

/** Throws `unauthorised` for an address that others than this machine can reach: there is no authentication yet. */
export function checkListenHost(host: string): void {
  if (isLoopback(host)) return
  throw new SkeinError(
    'unauthorised',
    `Cannot listen on ${host}: it is wider than loopback, and this version has no authentication; ` +
      'listen on 127.0.0.1, and let others in through a tunnel or a proxy that knows them',
    { details: { host } },
  )
}
