import { SkeinError } from '../core/index.ts'

export type S3Library = typeof import('@aws-sdk/client-s3')

/** Loads the client library when the first store needs it. Rejects with `unsupported` saying how to install it. */
export async function loadS3Library(
  load: () => Promise<S3Library> = () => import('@aws-sdk/client-s3'),
): Promise<S3Library> {
  try {
    return await load()
  } catch (cause) {
    throw new SkeinError(
      'unsupported',
      'Cannot use S3: the package @aws-sdk/client-s3 is not installed; run "npm install @aws-sdk/client-s3"',
      { cause },
    )
  }
}
