import { misunderstood, parseCommand } from '../sim/parse-command.ts'

const BENCHMARKS: Readonly<Record<string, string>> = {
  log: './log.ts',
  open: './open.ts',
  channel: './channel.ts',
  remote: './remote.ts',
  consensus: './consensus.ts',
  drivers: './drivers.ts',
  bridge: './bridge.ts',
}

const HELP = `Measures against the machine's own limits, or a raw client, in the same run.

  npm run -s bench -- NAME [--json]

  log       the durable log against writev and fdatasync
  open      opening logs of 1 and 4 GiB after a kill
  channel   publish, store and process through the public API in one process
  remote    the same over a node in three processes; commands while telemetry fills the connection
  consensus the replicated log of a Raft group against etcd, and against replicating and syncing without agreement
  drivers   the drivers of real brokers against their raw clients, Moleculer's channels and Python's confluent-kafka;
            of some only: drivers kafka nats jetstream rabbitmq moleculer confluentKafka
  bridge    moving a topic from JetStream to Kafka against the raw clients doing the same

The result is the last line of standard output, with the durability it was measured at. Exit codes: 0 the bar was met; 1 it was
missed; 2 not understood.

  npm run -s bench -- log --json`

const { positionals } = parseCommand(HELP, {})
const path = BENCHMARKS[positionals[0] ?? '']
if (path === undefined) misunderstood(HELP, `There is no benchmark "${positionals[0] ?? ''}"`)
await import(path)
