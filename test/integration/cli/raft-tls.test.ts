import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { freePorts } from '../../services/free-ports.ts'
import { makeCertificates } from '../certificates.ts'
import { skein, skeinJson, startNode, temporaryDirectory } from './skein.ts'

const PATIENCE = ['--connect-timeout', '60s']

test('A member listens beyond loopback only with certificates, which its configuration names by reference', async (t) => {
  const directory = await temporaryDirectory(t)
  const [port] = await freePorts(1)
  const { caFile, certFile, keyFile } = await makeCertificates(t)
  const address = `127.0.0.1:${port}`
  const group = { cluster: 'test', id: 1, listen: `0.0.0.0:${port}`, advertise: address, members: [{ id: 1, address }] }
  const file = join(directory, 'skein.yaml')
  const configure = (more: object) => writeFile(file, JSON.stringify({ raft: { decisions: { ...group, ...more } } }))
  await configure({})
  const refused = await skein(t, ['up', '--data', join(directory, 'data'), '--port', '0', '--config', file])
  assert.equal(refused.code, 5)
  assert.match(refused.stderr, /0\.0\.0\.0.*raft\.decisions\.tls.*\(unauthorised\)/)
  await configure({ tls: { key: `file:${keyFile}`, certificate: `file:${certFile}`, authority: `file:${caFile}` } })
  const { url } = await startNode(t, join(directory, 'data'), ['--config', file])
  const appended = await skeinJson<{ durability: string }>(t, ['raft', 'append', 'a', '--url', url, ...PATIENCE])
  assert.equal(appended.durability, 'durable')
  const ready = (await (await fetch(`${url}/health/ready`)).json()) as { checks: Record<string, string> }
  assert.equal(ready.checks['raft decisions'], 'leading')
})
