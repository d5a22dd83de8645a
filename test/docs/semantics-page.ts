import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brokerSemantics } from './broker-semantics.ts'
import { withGeneratedPart } from './generated-part.ts'
import { semanticsTables } from './semantics-table.ts'

/** The page of what each broker does: as it is, and as it has to be by what the drivers say. */
export interface SemanticsPage {
  readonly path: string
  readonly is: string
  readonly hasToBe: string
}

export async function semanticsPage(): Promise<SemanticsPage> {
  const path = fileURLToPath(new URL('../../docs/reference/brokers.md', import.meta.url))
  const directory = await mkdtemp(join(tmpdir(), 'skein-semantics-'))
  try {
    const is = await readFile(path, 'utf8')
    return { path, is, hasToBe: withGeneratedPart(is, semanticsTables(await brokerSemantics(directory))) }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
