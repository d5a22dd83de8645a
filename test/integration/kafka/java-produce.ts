import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cacheDirectory } from '../../services/cache-directory.ts'
import { kafkaKind } from '../../services/kafka.ts'

/** Writes `key<TAB>value` lines with Kafka's own console producer. */
export async function javaProduce(server: string, topic: string, lines: readonly string[]): Promise<void> {
  const jars = await kafkaKind.install({ cacheDirectory: cacheDirectory(), say: () => {} })
  const child = spawn(
    'java',
    [
      ...['-Xmx256m', '-Dfile.encoding=UTF-8', '-Dlog4j2.level=OFF', '-cp', `${jars}/*`],
      'org.apache.kafka.tools.ConsoleProducer',
      ...['--bootstrap-server', server, '--topic', topic, '--reader-property', 'parse.key=true'],
    ],
    { stdio: ['pipe', 'ignore', 'inherit'] },
  )
  const ended = once(child, 'exit')
  child.stdin.end(lines.map((line) => `${line}\n`).join(''))
  const [code] = await ended
  if (code !== 0) throw new Error(`Kafka's console producer ended with ${code}`)
}
