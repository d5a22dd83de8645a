import { SkeinError } from '../../../core/index.ts'

export interface BrokerAddress {
  readonly host: string
  readonly port: number
}

const DEFAULT_PORT = 9092

/** The brokers of `kafka://host:port[,host:port…]`. Throws `bad-argument`. Secrets do not belong into a URL and are refused. */
export function parseKafkaUrl(url: string): readonly BrokerAddress[] {
  if (!url.startsWith('kafka://')) throw badUrl(url, 'it does not begin with kafka://')
  const hosts = url.slice('kafka://'.length).replace(/\/$/, '')
  if (hosts.includes('@')) throw badUrl('kafka://…', 'credentials do not belong into it; give sasl')
  if (hosts === '' || /[/?#]/.test(hosts))
    throw badUrl(url, 'it must be kafka://HOST:PORT[,HOST:PORT…] and nothing more')
  return hosts.split(',').map((text) => parseAddress(url, text))
}

function parseAddress(url: string, text: string): BrokerAddress {
  const match = /^(\[[0-9a-fA-F:.]+\]|[^:\s[\]]+)(?::(\d{1,5}))?$/.exec(text)
  const port = Number(match?.[2] ?? DEFAULT_PORT)
  if (match === null || port < 1 || port > 65_535) throw badUrl(url, `"${text}" is no HOST:PORT`)
  return { host: match[1]!.replace(/^\[|\]$/g, ''), port }
}

function badUrl(url: string, why: string): SkeinError {
  return new SkeinError('bad-argument', `Cannot use "${url}" as the address of Kafka: ${why}`, { details: { why } })
}
