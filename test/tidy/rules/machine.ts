import { COMPOSITION_ROOMS, roomOf } from '../rooms.ts'
import type { Rule } from '../rule.ts'
import { lineAt, type Source } from '../source.ts'
import { isTest, resolveImport, type Tree } from '../tree.ts'

/** Words that touch the machine, and what to use instead. */
const BANNED_WORDS: ReadonlyArray<readonly [RegExp, string]> = [
  [/\bDate\.now\b/g, 'clock.nowMs()'],
  [/\bnew Date\(\s*\)/g, 'new Date(clock.nowMs())'],
  [/(?<!new )(?<![.\w$])Date\(/g, 'new Date(clock.nowMs())'],
  [/\bperformance\b/g, 'clock.monotonicMs()'],
  [/\bprocess\.(hrtime|uptime)\b/g, 'clock.monotonicMs()'],
  [/\bMath\.random\b/g, 'random.float()'],
  [
    /\b(randomBytes|randomUUID|randomInt|getRandomValues|randomFillSync)\b/g,
    'random.bytes(), or uuidV7(clock, random)',
  ],
  [/(?<![.\w$#])(setTimeout|setInterval)\b(?!\(\w+\??:)/g, 'clock.setTimer()'],
  [/(?<![.\w$#])setImmediate\b(?!\(\w+\??:)/g, 'clock.setImmediate()'],
  [/\bprocess\.nextTick\b/g, 'queueMicrotask()'],
  [/\bAbortSignal\.timeout\b/g, 'clock.setTimer() and an AbortController'],
  [/(?<![.\w$#])fetch\(/g, 'a port that the composition room implements'],
  [/\bprocess\.(env|argv|exit|on|stdout|stderr|stdin|kill|cwd)\b/g, 'an option that node or cli hands in'],
  [/(?<![.\w$#])console\./g, 'an error, or a callback that the composition room prints'],
]

/** Node's modules that compute and touch nothing; every other one is a door to the machine. */
const PURE_MODULES = new Set([
  'node:assert',
  'node:async_hooks',
  'node:buffer',
  'node:crypto',
  'node:diagnostics_channel',
  'node:events',
  'node:path',
  'node:path/posix',
  'node:stream',
  'node:string_decoder',
  'node:url',
  'node:util',
  'node:zlib',
])

/** Who may use what the rule bans, and why. */
const GRANTS: ReadonlyArray<{ readonly path: string; readonly may: RegExp; readonly because: string }> = [
  { path: 'src/core/system/', may: /.*/, because: 'it is the machine’s side of the ports' },
  {
    path: 'src/gateway/',
    may: /^node:(net|http|https|tls|stream\/promises)$/,
    because: 'a gateway speaks its protocol through its library',
  },
  {
    path: 'src/bus/drivers/remote/',
    may: /^node:(net|http|tls)$/,
    because: 'a driver speaks to its broker through its library',
  },
  {
    path: 'src/node/',
    may: /^node:(http|https|net|tls|fs|fs\/promises|os|process)$|process\.|console/,
    because: 'it is the server process: config files, signals, the listening socket',
  },
  { path: 'src/cli/', may: /.*/, because: 'it is the process a person started: arguments, files, terminal, exit code' },
  {
    path: 'testing/simulated-clock.ts',
    may: /^setImmediate$/,
    because: 'it lets the promises of real code settle before it moves its time on',
  },
  { path: 'src/fabric/', may: /process\.env/, because: 'it finds secrets given by reference (env:)' },
]

/** Law 4. Tests may use the real machine; the simulated clock, disk and network in testing/ may not. */
export const machine: Rule = {
  name: 'Only core/system touches the machine: clock, timers, randomness, files, sockets, processes are handed in',
  check(tree) {
    const found: string[] = []
    for (const source of tree.sources.values()) {
      if (!isGoverned(source.path)) continue
      found.push(...wordProblems(source), ...moduleProblems(source), ...systemProblems(tree, source))
    }
    return found
  },
  guilty: [
    { files: { 'src/log/a.ts': 'const now = Date.now()\n' }, finds: /src\/log\/a\.ts:1: Date\.now.*clock\.nowMs/ },
    { files: { 'src/log/a.ts': '\nsetTimeout(f, 1)\n' }, finds: /:2: setTimeout/ },
    { files: { 'src/swarm/a.ts': `const x = \`a\${Math.random()}\`\n` }, finds: /Math\.random/ },
    { files: { 'src/log/a.ts': "import { open } from 'node:fs/promises'\n" }, finds: /node:fs\/promises/ },
    { files: { 'src/log/a.ts': "import fs from 'fs'\n" }, finds: /node:fs/ },
    { files: { 'src/bus/a.ts': "import type { Socket } from 'node:net'\n" }, finds: /node:net/ },
    { files: { 'src/channel/a.ts': 'const t = new Date()\n' }, finds: /new Date/ },
    { files: { 'testing/simulated-disk.ts': 'const t = Math.random()\n' }, finds: /Math\.random/ },
    { files: { 'src/gateway/http/a.ts': "import { spawn } from 'node:child_process'\n" }, finds: /child_process/ },
    {
      files: {
        'src/bus/a.ts': "import { systemClock } from '../core/system/index.ts'\n",
        'src/core/system/index.ts': '',
      },
      finds: /handed/,
    },
  ],
  innocent: [
    {
      'src/core/clock.ts': 'export interface Clock {\n  setImmediate(callback: () => void): void\n}\n',
      'src/core/system/clock.ts': 'export const now = () => Date.now()\n',
      'src/log/a.ts':
        "// Date.now() is banned\nconst t = new Date(ms).toISOString(); clock.setTimeout(1); const s = 'Math.random'\n",
      'src/log/a.test.ts': 'setTimeout(f, 1)\n',
      'src/log/b.ts': "import { crc32 } from 'node:zlib'\n",
      'src/fabric/a.ts': "import { systemClock } from '../core/system/index.ts'\n",
      'src/core/system/index.ts': '',
    },
  ],
}

function isGoverned(path: string): boolean {
  return !isTest(path) && (path.startsWith('src/') || path.startsWith('testing/simulated-'))
}

function isGranted(path: string, what: string): boolean {
  return GRANTS.some((grant) => path.startsWith(grant.path) && grant.may.test(what))
}

function wordProblems(source: Source): string[] {
  const found: string[] = []
  for (const [word, replacement] of BANNED_WORDS) {
    for (const match of source.code.matchAll(word)) {
      if (isGranted(source.path, match[0])) continue
      found.push(
        `${source.path}:${lineAt(source.code, match.index)}: ${match[0]} touches the machine: use ${replacement}`,
      )
    }
  }
  return found
}

function moduleProblems(source: Source): string[] {
  return source.imports
    .map((used) => ({ line: used.line, name: asNodeModule(used.specifier) }))
    .filter(({ name }) => name !== undefined && !PURE_MODULES.has(name) && !isGranted(source.path, name))
    .map(({ line, name }) => `${source.path}:${line}: imports ${name}: use the port in core (Clock, Random, Disk, …)`)
}

function asNodeModule(specifier: string): string | undefined {
  if (specifier.startsWith('node:')) return specifier
  const bare = [
    'fs',
    'fs/promises',
    'net',
    'http',
    'https',
    'tls',
    'dgram',
    'dns',
    'os',
    'child_process',
    'timers',
    'timers/promises',
    'worker_threads',
    'cluster',
  ]
  return bare.includes(specifier) ? `node:${specifier}` : undefined
}

function systemProblems(tree: Tree, source: Source): string[] {
  const room = roomOf(tree, source.path)
  if (room === undefined || room.path === 'core/system' || COMPOSITION_ROOMS.includes(room.top)) return []
  return source.imports
    .filter((used) => resolveImport(tree, source.path, used.specifier)?.startsWith('src/core/system/'))
    .map(
      (used) =>
        `${source.path}:${used.line}: imports core/system: be handed Clock, Random, Disk by ${COMPOSITION_ROOMS.join(', ')}`,
    )
}
