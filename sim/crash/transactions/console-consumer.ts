import { cacheDirectory } from '../../../test/services/cache-directory.ts'
import { kafkaKind } from '../../../test/services/kafka.ts'
import { runTool } from '../../../test/services/run-tool.ts'

/** It ends when nothing more came for so long. */
const QUIET_MS = 10_000

/** The values of a topic as Kafka's own console consumer prints them, one per line: a reader that shares no code with ours. */
export async function consoleConsumer(
  url: string,
  options: { readonly topic: string; readonly isolation: 'read_committed' | 'read_uncommitted' },
): Promise<readonly string[]> {
  const jars = await kafkaKind.install({ cacheDirectory: cacheDirectory(), say: () => {} })
  const server = new URL(url).host
  // What it logs would stand among the values.
  const output = await runTool('java', [
    ...['-Xmx256m', '-cp', `${jars}/*`, '-Dlog4j2.level=OFF'],
    'org.apache.kafka.tools.consumer.ConsoleConsumer',
    ...['--bootstrap-server', server, '--topic', options.topic, '--from-beginning'],
    ...['--timeout-ms', String(QUIET_MS), '--command-property', `isolation.level=${options.isolation}`],
  ])
  return output.split('\n').filter((line) => line !== '')
}
