import { type Command, Option } from 'commander'
import { readTextFile, systemDisk, systemNetwork } from '../../core/system/index.ts'
import { newCommand } from '../client.ts'
import type { CommandContext } from '../context.ts'
import { nodeLog } from '../node-log.ts'
import { wholeNumber } from '../options.ts'

interface UpOptions {
  readonly data?: string
  readonly port?: number
  readonly host?: string
  readonly config?: string
  readonly logLevel?: string
  readonly json?: true
}

export function upCommand(context: CommandContext): Command {
  return newCommand('up', 'run a node: one durable log, HTTP and WebSocket', [
    'skein up --data ./data',
    'skein up --data ./data --port 0 --json   # the first line of output says where it listens',
    'skein up --config skein.yaml',
  ])
    .option('--data <dir>', 'the data directory; made when it is not there yet')
    .option('--port <n>', '0: the system chooses (default: 7600)', wholeNumber(0, 65_535))
    .option('--host <address>', 'the address to listen on (default: 127.0.0.1)')
    .option('--config <file>', 'settings as YAML; see docs/reference/config.md')
    .addOption(
      new Option('--log-level <level>', 'what the node says on standard error (default: info)').choices([
        'debug',
        'info',
        'warn',
        'error',
        'silent',
      ]),
    )
    .addHelpText('after', '\nEvery setting is also an environment variable: listen.port is SKEIN_LISTEN_PORT.')
    .action((options: UpOptions) => up(options, context))
}

async function up(options: UpOptions, context: CommandContext): Promise<void> {
  const { terminal, clock, random, signal, environment } = context
  // Loaded here, so that the other commands start without a node's libraries.
  const [{ readConfig }, { startNode }] = await Promise.all([
    import('../../fabric/index.ts'),
    import('../../node/index.ts'),
  ])
  const config = readConfig({
    file: options.config === undefined ? undefined : { name: options.config, text: await readTextFile(options.config) },
    environment,
    flags: { data: options.data, 'listen.port': options.port, 'listen.host': options.host, logLevel: options.logLevel },
  })
  const log = nodeLog({ level: config.logLevel, json: options.json === true, clock, write: terminal.note })
  const node = await startNode(config, { disk: systemDisk(), network: systemNetwork, clock, random, log })
  await terminal.line(options.json ? JSON.stringify({ ready: true, url: node.url }) : `ready: ${node.url}`)
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
  await node.drain()
}
