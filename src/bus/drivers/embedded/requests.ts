import { type Clock, ClosedError, checkFilter, checkSubject, SkeinError } from '../../../core/index.ts'
import type { Reply, Request, Requests } from '../../index.ts'
import { SubjectIndex } from '../../kit/index.ts'

interface Answerer {
  readonly filter: string
  readonly handler: (request: Request) => Promise<Reply>
}

/** Requests within one process: each goes to one of those who answer its subject, in turn. */
export class LocalRequests implements Requests {
  readonly #clock: Clock
  readonly #answerers = new SubjectIndex<Answerer>()
  readonly #pending = new Set<(error: unknown) => void>()
  #turn = 0
  #closed = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  ask(request: Request, options: { readonly timeoutMs: number; readonly signal?: AbortSignal }): Promise<Reply> {
    if (this.#closed) return Promise.reject(new ClosedError('the bus'))
    if (options.signal?.aborted) return Promise.reject(options.signal.reason)
    try {
      checkSubject(request.subject)
    } catch (error) {
      return Promise.reject(error)
    }
    const answerer = this.#choose(request.subject)
    if (answerer === undefined) return Promise.reject(noResponder(request.subject))
    return this.#waitFor(answerer, request, options)
  }

  #choose(subject: string): Answerer | undefined {
    const willing: Answerer[] = []
    this.#answerers.match(subject, (answerer) => willing.push(answerer))
    this.#turn += 1
    return willing[this.#turn % willing.length]
  }

  #waitFor(
    answerer: Answerer,
    request: Request,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const timer = this.#clock.setTimer(() => fail(timedOut(request.subject, options.timeoutMs)), options.timeoutMs, {
        keepAlive: true,
      })
      const onAbort = () => fail(options.signal?.reason)
      const finish = () => {
        timer.cancel()
        options.signal?.removeEventListener('abort', onAbort)
        this.#pending.delete(fail)
      }
      const fail = (error: unknown) => {
        finish()
        reject(error)
      }
      this.#pending.add(fail)
      options.signal?.addEventListener('abort', onAbort, { once: true })
      callHandler(answerer, request).then((reply) => {
        finish()
        resolve(reply)
      }, fail)
    })
  }

  async answer(subject: string, handler: (request: Request) => Promise<Reply>): Promise<() => Promise<void>> {
    if (this.#closed) throw new ClosedError('the bus')
    checkFilter(subject)
    const answerer = { filter: subject, handler }
    this.#answerers.add(subject, answerer)
    return async () => this.#answerers.remove(subject, answerer)
  }

  close(): void {
    this.#closed = true
    for (const fail of [...this.#pending]) fail(new ClosedError('the bus'))
  }
}

async function callHandler(answerer: Answerer, request: Request): Promise<Reply> {
  return answerer.handler(request)
}

function noResponder(subject: string): SkeinError {
  return new SkeinError('no-responder', `Cannot ask "${subject}": nobody answers it`, {
    retryable: true,
    details: { subject },
  })
}

function timedOut(subject: string, timeoutMs: number): SkeinError {
  return new SkeinError('timeout', `Asked "${subject}" and had no reply within ${timeoutMs} ms`, {
    retryable: true,
    details: { subject, timeoutMs },
  })
}
