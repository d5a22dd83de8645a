import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findService } from '../../test/services/find-service.ts'
import { runTool } from '../../test/services/run-tool.ts'
import { type Service, ServiceUnavailable } from '../../test/services/service.ts'
import type { Figures } from './figures.ts'

const SOURCE = fileURLToPath(new URL('./etcd/', import.meta.url))

interface Report extends Figures {
  readonly acknowledged: number
  readonly found: number
}

/** Three members of etcd, and the Go program that drives them through its own client. */
export class EtcdGroup {
  readonly #service: Service
  readonly #program: string
  #rounds = 0

  private constructor(service: Service, program: string) {
    this.#service = service
    this.#program = program
  }

  /** Rejects with `ServiceUnavailable` where etcd or Go cannot be had. */
  static async start(directory: string): Promise<EtcdGroup> {
    const say = (text: string) => process.stderr.write(`${text}\n`)
    const found = await findService('etcd', say)
    const program = join(directory, 'etcd-load')
    say('building the client of etcd')
    await runTool('go', ['build', '-o', program, '.'], { directory: SOURCE }).catch((cause: Error) => {
      throw new ServiceUnavailable(`the client of etcd cannot be built: ${cause.message}`, { cause })
    })
    return new EtcdGroup(await found.start({ nodes: 3, mortal: true }), program)
  }

  get version(): string {
    return this.#service.version
  }

  async run(wanted: { readonly inFlight: number; readonly seconds: number }): Promise<Figures> {
    this.#rounds += 1
    const endpoints = this.#service.urls.map((url) => new URL(url).host).join(',')
    const load = ['-in-flight', String(wanted.inFlight), '-seconds', String(wanted.seconds)]
    const output = await runTool(this.#program, ['-endpoints', endpoints, '-prefix', `r${this.#rounds}`, ...load])
    const report = JSON.parse(output) as Report
    if (report.found !== report.acknowledged) throw new Error(`etcd lost some: ${output}`)
    return report
  }

  stop(): Promise<void> {
    return this.#service.stop()
  }
}
