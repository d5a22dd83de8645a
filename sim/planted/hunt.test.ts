import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { describeBug, readBug } from './bug.ts'
import { Hunt, inOrder } from './hunt.ts'
import type { Step } from './run-step.ts'

const PATCH = `Group: fabric

The sum forgets its second number.

diff --git a/src/sum.ts b/src/sum.ts
--- a/src/sum.ts
+++ b/src/sum.ts
@@ -1 +1 @@
-export const sum = (a: number, b: number) => a + b
+export const sum = (a: number, _b: number) => a
`

/** A project of one module and one test, and a place for patches. */
function project(t: TestContext): { root: string; add(path: string, text: string): string } {
  const root = mkdtempSync(join(tmpdir(), 'skein-hunt-test-'))
  t.after(() => rmSync(root, { recursive: true }))
  const add = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
    return join(root, path)
  }
  mkdirSync(join(root, 'node_modules'))
  add('src/sum.ts', 'export const sum = (a: number, b: number) => a + b\n')
  add('check.ts', "import { sum } from './src/sum.ts'\nif (sum(1, 2) !== 3) process.exit(1)\n")
  return { root, add }
}

function step(name: string, ...args: string[]): Step {
  return { name, args, covers: [], timeoutMs: 20_000 }
}

const CHECK = step('check', 'check.ts')
const BLIND = step('blind', '--eval', '0')

test('A bug is caught by the first step that fails with it', async (t) => {
  const { root, add } = project(t)
  const hunt = new Hunt(root, [BLIND, CHECK])
  t.after(() => hunt.close())
  const finding = await hunt.catchBug(readBug(add('forgets.patch', PATCH)))
  assert.equal(finding.name, 'forgets')
  assert.equal(finding.caughtBy, 'check')
})

test('A bug that no step notices is said to live', async (t) => {
  const { root, add } = project(t)
  const hunt = new Hunt(root, [BLIND])
  t.after(() => hunt.close())
  assert.equal((await hunt.catchBug(readBug(add('forgets.patch', PATCH)))).caughtBy, null)
})

test('A step that hangs with a bug has caught it', async (t) => {
  const { root, add } = project(t)
  const hangs = {
    ...step(
      'hangs',
      '--eval',
      "import('./src/sum.ts').then(({ sum }) => { if (sum(1, 2) !== 3) setInterval(() => {}, 9) })",
    ),
    timeoutMs: 1_000,
  }
  const hunt = new Hunt(root, [hangs])
  t.after(() => hunt.close())
  assert.equal((await hunt.catchBug(readBug(add('forgets.patch', PATCH)))).caughtBy, 'timeout in hangs')
})

test('A step that takes long on this machine, with a bug as without, has not hung', async (t) => {
  const { root, add } = project(t)
  const script = "setTimeout(() => import('./check.ts'), 3_000)"
  const slow: Step = { name: 'slow', args: ['--input-type=module', '--eval', script], covers: [], timeoutMs: 2_000 }
  const hunt = new Hunt(root, [slow])
  t.after(() => hunt.close())
  const bug = readBug(add('forgets.patch', PATCH))
  await hunt.proveClean([bug])
  assert.equal((await hunt.catchBug(bug)).caughtBy, 'slow')
})

test('A step that fails once and not again has caught nothing', async (t) => {
  const { root, add } = project(t)
  const code =
    "const fs = require('node:fs'); if (!fs.existsSync('ran')) { fs.writeFileSync('ran', ''); process.exit(1) }"
  const hunt = new Hunt(root, [step('flaky', '--eval', code)])
  t.after(() => hunt.close())
  assert.equal((await hunt.catchBug(readBug(add('forgets.patch', PATCH)))).caughtBy, null)
})

test('A step in which another test fails each time has caught nothing', async (t) => {
  const { root, add } = project(t)
  add(
    'flaky.test.ts',
    `import { appendFileSync, readFileSync } from 'node:fs'
    import { test } from 'node:test'
    import { sum } from './src/sum.ts'
    appendFileSync('runs', 'x')
    const run = readFileSync('runs', 'utf8').length
    test(\`number \${run}\`, () => { if (sum(1, 2) !== 3) throw new Error('wrong') })\n`,
  )
  const hunt = new Hunt(root, [{ ...step('flaky', '--test'), tests: ['flaky.test.ts'] }])
  t.after(() => hunt.close())
  assert.equal((await hunt.catchBug(readBug(add('forgets.patch', PATCH)))).caughtBy, null)
})

test('A catch names the test that failed, not its neighbours', async (t) => {
  const { root, add } = project(t)
  add(
    'sum.test.ts',
    `import { describe, test } from 'node:test'
    import { sum } from './src/sum.ts'
    describe('sums', () => {
      test('of nothing', () => { if (sum(0, 0) !== 0) throw new Error('wrong') })
      test('of two numbers (both count)', () => { if (sum(1, 2) !== 3) throw new Error('wrong') })
    })\n`,
  )
  const hunt = new Hunt(root, [{ ...step('units', '--test'), tests: ['sum.test.ts'] }])
  t.after(() => hunt.close())
  const finding = await hunt.catchBug(readBug(add('forgets.patch', PATCH)))
  assert.equal(finding.caughtBy, 'units: of two numbers (both count)')
})

test('A step that fails without any bug catches nothing: it is an error', async (t) => {
  const { root, add } = project(t)
  const broken = step('broken', '--eval', 'process.exit(1)')
  const hunt = new Hunt(root, [broken])
  t.after(() => hunt.close())
  await assert.rejects(hunt.proveClean([{ touches: ['src/sum.ts'] }]), /"broken" fails without any planted bug/)
  await assert.rejects(hunt.catchBug(readBug(add('forgets.patch', PATCH))), /"broken" fails without any planted bug/)
})

test('A hunt that is stopped ends the step that runs', async (t) => {
  const { root, add } = project(t)
  const stop = new AbortController()
  const hunt = new Hunt(root, [step('waits', '--eval', 'setInterval(() => {}, 9)')], {
    signal: stop.signal,
    progress: () => void setTimeout(() => stop.abort(new Error('stopped')), 100),
  })
  t.after(() => hunt.close())
  await assert.rejects(hunt.catchBug(readBug(add('forgets.patch', PATCH))), /stopped/)
})

test('A patch that does not apply is an error, not a catch', async (t) => {
  const { root, add } = project(t)
  const hunt = new Hunt(root, [CHECK])
  t.after(() => hunt.close())
  const file = add('stale.patch', PATCH.replace('a + b', 'a - b'))
  await assert.rejects(hunt.catchBug(readBug(file)), /does not apply/)
})

test('A patch that leaves a syntax error is an error, not a catch', async (t) => {
  const { root, add } = project(t)
  const hunt = new Hunt(root, [CHECK])
  t.after(() => hunt.close())
  const file = add('broken.patch', PATCH.replace('=> a\n', '=> {\n'))
  await assert.rejects(hunt.catchBug(readBug(file)), /syntax error/)
})

test('A patch says what it touches and to which group it belongs', () => {
  const bug = describeBug('x/forgets.patch', PATCH)
  assert.deepEqual(bug, { name: 'forgets', file: 'x/forgets.patch', group: 'fabric', touches: ['src/sum.ts'] })
})

test('A patch to a test, to the harness, or to nothing is refused', () => {
  assert.throws(() => describeBug('p', PATCH.replaceAll('src/sum.ts', 'src/sum.test.ts')), /production code/)
  assert.throws(() => describeBug('p', PATCH.replaceAll('src/sum.ts', 'sim/crash.ts')), /production code/)
  assert.throws(() => describeBug('p', 'nothing'), /no unified diff/)
})

test('A bug that touches only what a step is for needs no other step', () => {
  const steps = [step('everything'), { ...step('raft'), scope: ['src/raft/'] }]
  const names = (...touches: string[]) => inOrder(steps, { touches }).map(({ name }) => name)
  assert.deepEqual(names('src/raft/quorum.ts'), ['raft'])
  assert.deepEqual(names('src/raft/quorum.ts', 'src/log/log.ts'), ['everything', 'raft'])
  assert.deepEqual(names('src/log/log.ts'), ['everything'])
})

test('A simulation that fails tells its seeds', async (t) => {
  const { root, add } = project(t)
  const code = `import('./src/sum.ts').then(({ sum }) => {
    const failures = sum(1, 2) === 3 ? [] : [{ seed: 7 }]
    console.log(JSON.stringify({ seeds: 9, failures }))
    process.exitCode = failures.length
  })`
  const hunt = new Hunt(root, [step('simulated', '--eval', code)])
  t.after(() => hunt.close())
  assert.deepEqual((await hunt.catchBug(readBug(add('forgets.patch', PATCH)))).seeds, [7])
})

test('Within its place, what a bug touches decides only the order of the steps', () => {
  const steps = [step('a'), { ...step('b'), covers: ['src/log'] }, step('c')]
  const ordered = inOrder(steps, { touches: ['src/log/segment.ts'] })
  assert.deepEqual(
    ordered.map(({ name }) => name),
    ['b', 'a', 'c'],
  )
})

test('A step ends with the first test that fails, and only its file runs once more', async (t) => {
  const { root, add } = project(t)
  const ran = join(root, 'ran')
  const head = `import { appendFileSync } from 'node:fs'
    import { test } from 'node:test'
    import { sum } from './src/sum.ts'\n`
  const note = (letter: string) => `appendFileSync(${JSON.stringify(ran)}, '${letter}')\n`
  add('fails.test.ts', `${head}${note('f')}test('of two', () => { if (sum(1, 2) !== 3) throw new Error('wrong') })\n`)
  add(
    'hangs.test.ts',
    `${head}${note('h')}test('hangs', () => sum(1, 2) === 3 || new Promise((resolve) => setTimeout(resolve, 60_000)))\n`,
  )
  const tests = ['hangs.test.ts', 'fails.test.ts']
  const hunt = new Hunt(root, [{ ...step('units', '--test', '--test-concurrency=2'), tests }])
  t.after(() => hunt.close())
  const finding = await hunt.catchBug(readBug(add('forgets.patch', PATCH)))
  assert.equal(finding.caughtBy, 'units: of two')
  // Each once with the bug, if it came to that, and once without; the one that failed once more with it.
  const runs = readFileSync(ran, 'utf8')
  assert.equal(runs.replaceAll('h', ''), 'fff')
  assert.ok(runs.replaceAll('f', '').length <= 2, runs)
})

test('A test that a suite holds is found again in the files that run the suite', async (t) => {
  const { root, add } = project(t)
  add(
    'suite.ts',
    `import { test } from 'node:test'
    import { sum } from './src/sum.ts'
    export const suite = (name) => test(name, () => { if (sum(1, 2) !== 3) throw new Error('wrong') })\n`,
  )
  add('sum.test.ts', "import { suite } from './suite.ts'\nsuite('of two')\n")
  const hunt = new Hunt(root, [{ ...step('units', '--test'), tests: ['sum.test.ts'] }])
  t.after(() => hunt.close())
  assert.equal((await hunt.catchBug(readBug(add('forgets.patch', PATCH)))).caughtBy, 'units: of two')
})
