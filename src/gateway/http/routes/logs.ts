import type { FastifyInstance } from 'fastify'
import Type, { type Static } from 'typebox'
import type { LogMember } from '../../../consensus/index.ts'
import { SkeinError } from '../../../core/index.ts'
import { atLeader, hostedLog, logParams } from '../hosted-logs.ts'
import { failures } from '../schemas.ts'
import type { GatewayServices, HostedLog } from '../services.ts'

const member = Type.Object({
  id: Type.String(),
  address: Type.String({ description: 'where the other members reach it' }),
  kind: Type.Enum(['voter', 'learner']),
  url: Type.Optional(Type.String({ description: 'where its HTTP is, where this node was told' })),
})

const snapshot = Type.Object({
  index: Type.Integer({ description: 'everything through here is in it' }),
  timeMs: Type.Number(),
  name: Type.String(),
  bytes: Type.Integer(),
  checksum: Type.String(),
})

const status = Type.Object({
  name: Type.String(),
  state: Type.Enum(['leading', 'following', 'electing', 'closed']),
  id: Type.String(),
  term: Type.Integer(),
  leader: Type.Optional(member),
  firstIndex: Type.Integer({ description: 'the first entry that is not only in the snapshot' }),
  committedIndex: Type.Integer(),
  retainedBytes: Type.Integer(),
  snapshot: Type.Optional(snapshot),
  members: Type.Array(member),
  failure: Type.Optional(Type.Object({ code: Type.String(), message: Type.String() })),
  connections: Type.Unknown(),
})

const memberInput = Type.Object(
  {
    id: Type.String({ description: 'a whole number from 1 that was never given before' }),
    address: Type.String({ description: 'host:port' }),
    learner: Type.Optional(Type.Boolean({ description: 'leave it a learner, that does not vote' })),
  },
  { additionalProperties: false },
)

const transferInput = Type.Object({ to: Type.String() }, { additionalProperties: false })
const snapshotInput = Type.Object(
  { keep: Type.Optional(Type.Integer({ minimum: 0, description: 'entries kept behind it. Default 5,000' })) },
  { additionalProperties: false },
)
const members = Type.Object({ members: Type.Array(member) })
const memberParams = Type.Object({ log: Type.String(), member: Type.String() })

const ENTRIES_KEPT = 5_000

/** Replicated logs and who belongs to them. */
export function logRoutes(app: FastifyInstance, services: GatewayServices): void {
  statusRoutes(app, services)
  memberRoutes(app, services)
  app.post<{ Params: Static<typeof logParams>; Body: Static<typeof transferInput> }>(
    '/v1/logs/:log/transfer',
    {
      schema: {
        ...{ operationId: 'transferLeadership', summary: 'Hand leadership to another voter', tags: ['logs'] },
        ...{ params: logParams, body: transferInput },
        response: { 200: Type.Object({ leader: Type.String() }), ...failures },
      },
    },
    async (request) => {
      const hosted = hostedLog(services, request.params.log)
      const { to } = request.body
      await atLeader(hosted, () => hosted.log.admin.transfer(to, { signal: services.signal }))
      return { leader: to }
    },
  )
  app.post<{ Params: Static<typeof logParams>; Body: Static<typeof snapshotInput> }>(
    '/v1/logs/:log/snapshot',
    {
      schema: {
        operationId: 'takeSnapshot',
        summary: 'Put what is committed into a snapshot at this member, and let go of entries that are in it',
        ...{ tags: ['logs'], params: logParams, body: snapshotInput },
        response: { 200: Type.Object({ taken: Type.Boolean(), snapshot: Type.Optional(snapshot) }), ...failures },
      },
    },
    async (request) => {
      const hosted = hostedLog(services, request.params.log)
      const taken = await hosted.takeSnapshot(request.body.keep ?? ENTRIES_KEPT)
      return { taken: taken !== undefined, snapshot: taken ?? hosted.status.snapshot }
    },
  )
}

function statusRoutes(app: FastifyInstance, services: GatewayServices): void {
  app.get(
    '/v1/logs',
    {
      schema: {
        ...{ operationId: 'listLogs', summary: 'The replicated logs of which this node is a member', tags: ['logs'] },
        response: { 200: Type.Object({ logs: Type.Array(status) }), ...failures },
      },
    },
    async () => ({ logs: [...(services.logs ?? [])].map(([name, hosted]) => statusOf(name, hosted)) }),
  )
  app.get<{ Params: Static<typeof logParams> }>(
    '/v1/logs/:log',
    {
      schema: {
        ...{ operationId: 'logStatus', summary: 'Who leads, how far it is, how its members are reached' },
        ...{ tags: ['logs'], params: logParams, response: { 200: status, ...failures } },
      },
    },
    async (request) => statusOf(request.params.log, hostedLog(services, request.params.log)),
  )
}

function memberRoutes(app: FastifyInstance, services: GatewayServices): void {
  const { signal } = services
  app.post<{ Params: Static<typeof logParams>; Body: Static<typeof memberInput> }>(
    '/v1/logs/:log/members',
    {
      schema: {
        operationId: 'addMember',
        summary: 'Add a new machine: it receives the log, and votes once it has caught up',
        ...{ tags: ['logs'], params: logParams, body: memberInput, response: { 200: members, ...failures } },
      },
    },
    async (request) => {
      const hosted = hostedLog(services, request.params.log)
      const { id, address, learner = false } = request.body
      const { admin } = hosted.log
      await atLeader(hosted, async () => {
        // Asked again after it was added and did not catch up in time: the rest is done.
        const isLearner = admin.members().some((one) => one.id === id && one.kind === 'learner')
        if (!isLearner) await admin.addLearner({ id, address }, { signal })
        if (!learner) await admin.promote(id, { signal })
      })
      return { members: withUrls(hosted, admin.members()) }
    },
  )
  app.delete<{ Params: Static<typeof memberParams> }>(
    '/v1/logs/:log/members/:member',
    {
      schema: {
        ...{ operationId: 'removeMember', summary: 'Take a member away; its id is spent', tags: ['logs'] },
        ...{ params: memberParams, response: { 200: members, ...failures } },
      },
    },
    async (request) => {
      const hosted = hostedLog(services, request.params.log)
      await atLeader(hosted, () => hosted.log.admin.remove(request.params.member, { signal }))
      return { members: withUrls(hosted, hosted.log.admin.members()) }
    },
  )
}

function statusOf(name: string, hosted: HostedLog) {
  const { leader, members: all, failure, implementation: _, ...rest } = hosted.status
  return {
    ...{ name, ...rest, members: withUrls(hosted, all), connections: hosted.connections() },
    ...(leader && { leader: withUrls(hosted, [leader])[0] }),
    ...(failure && { failure: { code: codeOf(failure), message: failure.message } }),
  }
}

function codeOf(error: Error): string {
  return error instanceof SkeinError ? error.code : 'internal'
}

function withUrls(hosted: HostedLog, all: readonly LogMember[]) {
  return all.map((one) => {
    const url = hosted.urlOf(one.id)
    return { ...one, ...(url !== undefined && { url }) }
  })
}
