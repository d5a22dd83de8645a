import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { freePorts } from '../../services/free-ports.ts'
import { type NodeUnderTest, startNodeWith, temporaryDirectory } from './skein.ts'

const COMMAND = fileURLToPath(new URL('../../../bin/skein.mjs', import.meta.url))
const GUIDE = new URL('../../../docs/guides/raft.md', import.meta.url)
const PORT = /\b7[67]0[1-5]\b/g

interface Step {
  readonly command: string
  readonly output: string
}

/** The commands of the guide's transcripts, each with the output it promises. */
function stepsOf(guide: string): readonly Step[] {
  const blocks = [...guide.matchAll(/^```console\n([\s\S]*?)^```$/gm)].map((match) => match[1]!)
  return blocks.flatMap((block) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((part) => ({ command: part.slice(0, part.indexOf('\n')), output: part.slice(part.indexOf('\n') + 1) })),
  )
}

/** Who leads, and how often leaders changed, is of the moment: numbers that depend on it, and columns, are not compared. */
function lasting(text: string): string {
  return text
    .replace(/^(entr(?:y|ies)) \d+( to \d+)?/gm, '$1')
    .replace(/^\d+\t/gm, '')
    .replace(/entry \d+, \d+ bytes/g, 'entry')
    .replace(/ +leads$/gm, '')
    .replace(/ +/g, ' ')
    .replace(/ +$/gm, '')
    .trimEnd()
}

/** The guide, with ports that are free here in the place of its own. */
async function guideHere(): Promise<string> {
  const guide = await readFile(GUIDE, 'utf8')
  const named = [...new Set(guide.match(PORT))].sort()
  const ports = await freePorts(named.length)
  const here = new Map(named.map((port, at) => [port, String(ports[at])]))
  return guide.replace(PORT, (port) => here.get(port)!)
}

/** A machine that is busy with other tests takes longer to elect somebody. */
function patient(command: string): string {
  if (command.includes('--connect-timeout')) return command
  return command.replace(/skein raft [^|;]*--url \S+[0-9]/g, '$& --connect-timeout 60s')
}

async function shellIn(t: TestContext, directory: string) {
  const bin = join(directory, 'bin')
  await mkdir(bin)
  await writeFile(join(bin, 'skein'), `#!/bin/sh\nexec "${process.execPath}" "${COMMAND}" "$@"\n`)
  await chmod(join(bin, 'skein'), 0o755)
  const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` }
  const jobs: NodeUnderTest[] = []
  return async (command: string): Promise<{ readonly stdout: string; readonly stderr: string }> => {
    const started = /^skein (up .*) &$/.exec(command)
    const killed = /^kill -9 %(\d+)$/.exec(command)
    if (started !== null) {
      jobs.push(await startNodeWith(t, [...started[1]!.split(' '), '--json'], { cwd: directory }))
      return { stdout: '', stderr: '' }
    }
    if (killed !== null) {
      const { child } = jobs[Number(killed[1]) - 1]!
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
      return { stdout: '', stderr: '' }
    }
    return new Promise((resolve) => {
      execFile('/bin/sh', ['-c', patient(command)], { env, cwd: directory }, (_, stdout, stderr) =>
        resolve({ stdout, stderr }),
      )
    })
  }
}

test('Every command of the guide to replicated logs does what it promises', { timeout: 600_000 }, async (t) => {
  const guide = await guideHere()
  const directory = await temporaryDirectory(t)
  const shell = await shellIn(t, directory)
  const [, file, text] = /^```yaml\n# (node-1\.yaml)\n([\s\S]*?)^```$/m.exec(guide)!
  await writeFile(join(directory, file!), text!)
  const steps = stepsOf(guide)
  assert.ok(steps.length >= 25, `${steps.length} commands`)
  for (const { command, output } of steps) {
    const { stdout, stderr } = await shell(command)
    // A node that led as the others went cannot say what became of the append.
    const told = stdout.replace('exit code 8', 'exit code 3')
    assert.equal(lasting(told), lasting(output), `${command}\n${stderr}`)
  }
})
