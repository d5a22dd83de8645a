import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { startNode, temporaryDirectory } from './skein.ts'

/** The commands of the guide's transcripts, each with the output it promises. */
function transcripts(guide: string): ReadonlyArray<{ command: string; output: string }> {
  const blocks = [...guide.matchAll(/^```console\n([\s\S]*?)^```$/gm)].map((match) => match[1]!)
  return blocks.flatMap((block) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((part) => ({ command: part.slice(0, part.indexOf('\n')), output: part.slice(part.indexOf('\n') + 1) })),
  )
}

/** Times are of the moment; everything else is promised. */
const timeless = (text: string) => text.replace(/"(timestampMs|appendedAtMs)":\d+/g, '"$1":0').trimEnd()

function shell(command: string, environment: NodeJS.ProcessEnv): Promise<string> {
  return new Promise((resolve) => {
    // curl's own exit code is no matter: a stream ends by its time limit.
    execFile('/bin/sh', ['-c', command], { env: { ...process.env, ...environment } }, (_, stdout) => resolve(stdout))
  })
}

test('Every transcript of the HTTP guide is what a node answers', async (t) => {
  const hasCurl = (await shell('command -v curl', {})) !== ''
  if (!hasCurl) return t.skip('this machine has no curl')
  const guide = await readFile(new URL('../../../docs/guides/http.md', import.meta.url), 'utf8')
  const node = await startNode(t, await temporaryDirectory(t))
  const steps = transcripts(guide)
  assert.ok(steps.length >= 9)
  for (const { command, output } of steps) {
    assert.equal(timeless(await shell(command, { URL: node.url })), timeless(output), command)
  }
})
