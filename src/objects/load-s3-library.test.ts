import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadS3Library } from './load-s3-library.ts'

test('Without the client library S3 is unsupported, and the error says how to install it', async () => {
  const missing = () => Promise.reject(new Error('not there'))
  await assert.rejects(loadS3Library(missing), { code: 'unsupported', message: /npm install @aws-sdk\/client-s3/ })
})
