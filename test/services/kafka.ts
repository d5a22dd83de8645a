import { mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fetchOnce } from './fetch-once.ts'
import { freePorts } from './free-ports.ts'
import { kafkaRelease } from './kafka-probe.ts'
import { runTool } from './run-tool.ts'
import { type InstallTools, type NodePlan, type PlanRequest, type ServiceKind, ServiceUnavailable } from './service.ts'

const VERSION = '4.3.1'
const LOG4J_VERSION = '2.25.1'
const READY_WITHIN_MS = 120_000

/**
 * Apache Kafka in KRaft mode, every node both broker and controller: the jars from Maven Central, on the machine's Java.
 * Settings are lines of `server.properties`, except three: `secured.protocol` (`SSL`, `SASL_SSL`, `SASL_PLAINTEXT`) adds a
 * listener of that protocol to the first node, on `secured.port`; `advertised.port` is where clients are sent instead, to a
 * proxy. What the nodes say to each other, and each to itself, goes past that. Groups notice a dead member within seconds,
 * not within Kafka's 45.
 */
export const kafkaKind: ServiceKind = {
  name: 'kafka',
  urlVariable: 'SKEIN_KAFKA_URL',
  compose: { portVariable: 'KAFKA_PORT', url: (port) => `kafka://127.0.0.1:${port}` },
  install,
  plan,
  version: kafkaRelease,
}

async function install({ cacheDirectory, say }: InstallTools): Promise<string> {
  for (const tool of ['java', 'mvn']) {
    await runTool(tool, ['-version']).catch((error: Error) => {
      throw new ServiceUnavailable(
        `${tool} is not on the PATH (Debian: apt-get install openjdk-17-jre-headless maven)`,
        {
          cause: error,
        },
      )
    })
  }
  return fetchOnce(join(cacheDirectory, `kafka-${VERSION}`), async (target) => {
    say(`kafka: fetching Apache Kafka ${VERSION} from Maven Central (once)`)
    await writeFile(join(target, 'pom.xml'), POM)
    const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', '-DoutputDirectory=.']
    await runTool('mvn', ['--quiet', '--batch-mode', ...goal], { directory: target }).catch((error: Error) => {
      throw new ServiceUnavailable(`Kafka's jars are not to be had: ${error.message}`)
    })
    await writeFile(join(target, 'log4j2.properties'), LOGGING)
  })
}

const ARTIFACTS = [
  ['org.apache.kafka', 'kafka_2.13', VERSION],
  ['org.apache.kafka', 'kafka-tools', VERSION],
  ['org.apache.logging.log4j', 'log4j-api', LOG4J_VERSION],
  ['org.apache.logging.log4j', 'log4j-core', LOG4J_VERSION],
  ['org.apache.logging.log4j', 'log4j-slf4j-impl', LOG4J_VERSION],
]

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>skein</groupId><artifactId>kafka-server</artifactId><version>1</version>
  <dependencies>${ARTIFACTS.map(([group, artifact, version]) => {
    return `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`
  }).join('')}</dependencies>
</project>
`

const LOGGING = `status=error
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d %p %m (%c)%n
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
`

interface Node {
  readonly index: number
  readonly port: number
  readonly controllerPort: number
  /** For what brokers say to brokers. */
  readonly innerPort: number
  readonly folder: string
}

async function plan({ installed, nodes: count, directory, settings }: PlanRequest): Promise<NodePlan[]> {
  const ports = await freePorts(count * 3)
  const nodes = Array.from({ length: count }, (_, index) => ({
    index,
    port: ports[index]!,
    controllerPort: ports[count + index]!,
    innerPort: ports[2 * count + index]!,
    folder: join(directory, `node-${index + 1}`),
  }))
  const clusterId = Buffer.from(`skein-kafka-${String(ports[0]).padStart(4, '0')}`.slice(-16)).toString('base64url')
  await mkdir(directory, { recursive: true })
  return Promise.all(
    nodes.map(async (node) => {
      const file = join(directory, `node-${node.index + 1}.properties`)
      await writeFile(file, properties(node, nodes, settings))
      const java = (heap: string, words: readonly string[]) => [
        ...[`-Xms64m`, `-Xmx${heap}`, '-XX:+UseSerialGC', '-Xshare:auto'],
        `-Dlog4j2.configurationFile=file:${installed}/log4j2.properties`,
        ...['-cp', `${installed}/*`, ...words],
      ]
      return {
        url: `kafka://127.0.0.1:${node.port}`,
        directory: node.folder,
        command: 'java',
        args: java('512m', ['kafka.Kafka', file]),
        readyWithinMs: READY_WITHIN_MS,
        prepare: async () => {
          if (await exists(join(node.folder, 'meta.properties'))) return
          const format = ['kafka.tools.StorageTool', 'format', '--ignore-formatted', '-t', clusterId, '-c', file]
          await runTool('java', ['-XX:TieredStopAtLevel=1', ...java('128m', format)])
        },
      }
    }),
  )
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

function properties(node: Node, nodes: readonly Node[], settings: Readonly<Record<string, string>>): string {
  const replicas = Math.min(3, nodes.length)
  const inSync = Math.min(2, nodes.length)
  const { 'secured.protocol': secured, 'secured.port': securedPort, 'advertised.port': outer, ...given } = settings
  const isSecured = secured !== undefined && node.index === 0
  const more = `,INNER://127.0.0.1:${node.innerPort}${isSecured ? `,SECURED://127.0.0.1:${securedPort}` : ''}`
  const lines: Record<string, string | number> = {
    'process.roles': 'broker,controller',
    'node.id': node.index + 1,
    'broker.rack': `rack-${node.index + 1}`,
    listeners: `PLAINTEXT://127.0.0.1:${node.port},CONTROLLER://127.0.0.1:${node.controllerPort}${more}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${outer ?? node.port}${more}`,
    'inter.broker.listener.name': 'INNER',
    'listener.security.protocol.map': `PLAINTEXT:PLAINTEXT,INNER:PLAINTEXT,CONTROLLER:PLAINTEXT${isSecured ? `,SECURED:${secured}` : ''}`,
    'controller.listener.names': 'CONTROLLER',
    'controller.quorum.voters': nodes
      .map(({ index, controllerPort }) => `${index + 1}@127.0.0.1:${controllerPort}`)
      .join(','),
    'log.dirs': node.folder,
    'auto.create.topics.enable': 'false',
    ...internalTopics(replicas, inSync),
    ...QUICK,
    ...given,
  }
  return Object.entries(lines)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}

function internalTopics(replicas: number, inSync: number): Record<string, string | number> {
  return {
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': inSync,
    'transaction.state.log.num.partitions': 4,
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': inSync,
  }
}

/** A small, quick server: what takes Kafka minutes by default must happen while a test watches. */
const QUICK: Readonly<Record<string, string | number>> = {
  'broker.session.timeout.ms': 6_000,
  'broker.heartbeat.interval.ms': 500,
  'group.initial.rebalance.delay.ms': 0,
  'group.consumer.heartbeat.interval.ms': 300,
  'group.consumer.min.heartbeat.interval.ms': 100,
  'group.consumer.session.timeout.ms': 6_000,
  'group.consumer.min.session.timeout.ms': 1_000,
  'log.retention.check.interval.ms': 500,
  'log.initial.task.delay.ms': 500,
  'log.cleaner.backoff.ms': 200,
  'log.cleaner.dedupe.buffer.size': 8_388_608,
  'log.index.size.max.bytes': 65_536,
  'num.network.threads': 2,
  'num.io.threads': 4,
}
