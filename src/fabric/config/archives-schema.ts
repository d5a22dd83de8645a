import { z } from 'zod'

const text = z.string().min(1)

/** Topics archived to a directory or to S3: `ArchiveSpec` says what each field means. */
export const archivesSchema = z.array(
  z.strictObject({
    from: z.strictObject({
      /** A name among `brokers`, or an address. */
      broker: text,
      topic: text,
    }),
    to: z.strictObject({
      place: text,
      credentials: z.strictObject({ accessKeyId: text, secretAccessKey: text }).optional(),
    }),
    start: z.enum(['earliest', 'latest']).optional(),
    segmentBytes: z.int().min(1024).optional(),
    segmentAgeMs: z.int().min(1).optional(),
  }),
)
