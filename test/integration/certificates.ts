import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { runTool } from '../services/run-tool.ts'

export interface Certificates {
  /** PEM text of the authority. */
  readonly ca: string
  /** Paths, for a server's configuration. */
  readonly caFile: string
  readonly certFile: string
  readonly keyFile: string
}

/** An authority and a certificate of `127.0.0.1`, by the machine's openssl; gone with the test. */
export async function makeCertificates(t: TestContext): Promise<Certificates> {
  const folder = await mkdtemp(join(tmpdir(), 'skein-certificates-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const path = (name: string) => join(folder, name)
  const openssl = (...words: string[]) => runTool('openssl', words, { directory: folder })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  await openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2', '-subj', '/CN=Skein tests')
  await openssl('req', ...key, '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=127.0.0.1')
  await writeFile(path('extensions'), 'subjectAltName=IP:127.0.0.1')
  const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'extensions']
  await openssl('x509', '-req', '-in', 'server.csr', '-out', 'server.pem', ...signed)
  const [caFile, certFile, keyFile] = ['ca.pem', 'server.pem', 'server.key'].map(path) as [string, string, string]
  return { ca: await readFile(caFile, 'utf8'), caFile, certFile, keyFile }
}
