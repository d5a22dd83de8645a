import { z } from 'zod'

const text = z.string().min(1)
const milliseconds = z.int().min(1)
const bytes = z.int().min(1024)
const nodeId = z.int().min(1)
const address = z.string().regex(/^(\[[^\]]+\]|[^:\s]+):\d{1,5}$/, 'it must be host:port')

/** A member of the group as each of the others knows it. */
const member = z.strictObject({
  id: nodeId,
  /** Where the others reach it, `host:port`. */
  address,
  /** Where its HTTP is: who asks the wrong member is sent there. */
  url: text.optional(),
})

/** This node's part in the group that keeps one replicated log: `RaftLogOptions` says what each field means. */
const group = z
  .strictObject({
    cluster: z.string().min(1).max(256),
    id: nodeId,
    listen: address,
    advertise: address.optional(),
    /** Default: `raft/` and the log's name, in the data directory. */
    directory: text.optional(),
    /** Every member that there is to be at first, the same on each. */
    members: z.array(member).default([]),
    /** A new member of a group that is there already: it waits to be added. */
    join: z.boolean().default(false),
    /** Each a reference: `file:PATH` or `env:NAME`. */
    tls: z.strictObject({ key: text, certificate: text, authority: text }).optional(),
    heartbeatMs: milliseconds.default(100),
    electionTimeoutMs: milliseconds.default(1_000),
    commandBytesMax: bytes.default(1024 * 1024),
    uncommittedBytesMax: bytes.default(64 * 1024 * 1024),
    retainedBytesMax: bytes.default(1024 * 1024 * 1024),
  })
  .superRefine(({ id, members, join }, context) => {
    const ids = members.map((one) => one.id)
    const twice = ids.find((one, at) => ids.indexOf(one) !== at)
    if (twice !== undefined) {
      context.addIssue({
        code: 'custom',
        path: ['members'],
        message: `node ${twice} is listed twice; ids are never shared`,
      })
    } else if (!join && !ids.includes(id)) {
      const message = `node ${id}, which is this one, is not among them; list it, or say "join: true" for a member that is added later`
      context.addIssue({ code: 'custom', path: ['members'], message })
    }
  })

/** Replicated logs by name. */
export const raftSchema = z.record(z.string().regex(/^[\w-]{1,64}$/, 'a name has letters, digits, _ and -'), group)

export type RaftConfig = z.output<typeof group>
