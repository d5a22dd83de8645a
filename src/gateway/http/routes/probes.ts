import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import type { GatewayServices, ProbeReport } from '../services.ts'

const report = Type.Object({ ok: Type.Boolean(), checks: Type.Record(Type.String(), Type.String()) })

/** Probes for whoever supervises the node: they differ on purpose, see `Probes`. */
export function probeRoutes(app: FastifyInstance, { probes }: GatewayServices): void {
  const probe = (path: string, operationId: string, summary: string, ask: () => ProbeReport) =>
    app.get(
      path,
      {
        schema: { operationId, summary, tags: ['health'], response: { 200: report, 503: report } },
        logLevel: 'silent',
      },
      async (_, reply) => {
        const answer = ask()
        reply.status(answer.ok ? 200 : 503).header('cache-control', 'no-store')
        return answer
      },
    )
  probe('/health/live', 'live', 'The process works: when not, only a restart helps', () => probes.live())
  probe('/health/ready', 'ready', 'It can take work now: when not, send none, but leave it running', () =>
    probes.ready(),
  )
  probe('/health/startup', 'started', 'It has finished starting', () => probes.started())
}
