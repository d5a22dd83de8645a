/** A process of clients that propose: started, and later asked what came of it. */
import { serveRequests } from '../remote/worker.ts'
import { LoadClient, type Loaded, type LoadOptions } from './load-client.ts'

/** `run` answers when enough is acknowledged; `start` at once, `firsts` meanwhile, and `stop` with what came of it. */
export type LoadRequest =
  | { readonly run: LoadOptions }
  | { readonly start: LoadOptions }
  | { readonly firsts: true }
  | { readonly stop: true }

let client: LoadClient | undefined
let running: Promise<Loaded> | undefined

serveRequests(async (request: LoadRequest): Promise<object> => {
  if ('run' in request) return new LoadClient(request.run).run()
  if ('start' in request) {
    client = new LoadClient(request.start)
    running = client.run()
    return {}
  }
  if ('firsts' in request) return { firsts: client!.firsts }
  client!.stop()
  return running!
})
