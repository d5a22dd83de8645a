import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const folder = dirname(fileURLToPath(import.meta.url))
const examples = readdirSync(folder).filter((name) => existsSync(join(folder, name, 'main.ts')))

describe('Examples', () => {
  it('there are some', () => assert.ok(examples.length > 0))

  for (const name of examples) {
    it(`${name} prints what its output.txt says`, async () => {
      const run = promisify(execFile)(process.execPath, [join(folder, name, 'main.ts')], { timeout: 60_000 })
      const { stdout, stderr } = await run
      assert.equal(stderr, '')
      assert.equal(stdout, readFileSync(join(folder, name, 'output.txt'), 'utf8'))
    })
  }
})
