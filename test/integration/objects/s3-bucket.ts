import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import type { S3StoreOptions } from '../../../src/objects/index.ts'
import { S3_ACCESS_KEY, S3_SECRET_KEY } from '../../services/versitygw.ts'

/** A new bucket at a server of the tests: what a store is opened with. */
export async function makeBucket(endpoint: string, bucket: string): Promise<S3StoreOptions> {
  const credentials = { accessKeyId: S3_ACCESS_KEY, secretAccessKey: S3_SECRET_KEY }
  const client = new S3Client({ endpoint, region: 'us-east-1', credentials, forcePathStyle: true })
  await client.send(new CreateBucketCommand({ Bucket: bucket }))
  client.destroy()
  return { endpoint, bucket, credentials, attemptsMax: 1 }
}
