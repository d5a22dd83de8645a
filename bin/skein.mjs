#!/usr/bin/env node
// The command `skein`. Skein needs Node >= 24.6; under an older one this hands over to the Node that `npm ci` installed.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import module, { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import v8 from 'node:v8'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)

if (major > 24 || (major === 24 && minor >= 6)) {
  // What was compiled once need not be the next time: a command starts in half the time.
  module.enableCompileCache()
  // Messages are memory outside the heap, held by few small objects in it. A young generation that does not grow is
  // collected before much of it piles up: a node takes a quarter less memory and half the collector's time.
  v8.setFlagsFromString('--semi-space-growth-factor=1')
  const inClone = existsSync(join(root, 'src', 'cli', 'index.ts'))
  const { main } = await (inClone ? import('../src/cli/index.ts') : import('../dist/src/cli/index.js'))
  await main(process.argv.slice(2))
} else {
  handOver()
}

function handOver() {
  const node = bundledNode()
  if (!node) {
    console.error(
      `skein needs Node 24.6 or later; this is ${process.version} and no bundled one was found. ` +
        'In a clone run: npm ci; in a project of your own: npm install --save-dev node@24',
    )
    process.exit(1)
  }
  // Over the channel the child hears of signals sent to this process, and of its end: it never outlives its launcher.
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  })
  // Passed on as messages, not as signals: a terminal's Ctrl-C reaches both, and must not count twice.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.connected && child.send(signal))
  child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 143)))
}

function bundledNode() {
  try {
    return createRequire(join(root, 'package.json')).resolve('node/bin/node')
  } catch {
    return undefined
  }
}
