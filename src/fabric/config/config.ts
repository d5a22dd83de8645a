import { isMap, isScalar, LineCounter, parseDocument } from 'yaml'
import type { z } from 'zod'
import { misspeltVariable, nearest, SkeinError } from '../../core/index.ts'
import { configSchema, type NodeConfig, scalarSettings, validKeys } from './config-schema.ts'
import { reasonOf } from './reason-of.ts'

type Path = ReadonlyArray<string | number>

export interface ConfigSources {
  /** The configuration file's name, for messages, and its YAML text. */
  readonly file?: { readonly name: string; readonly text: string } | undefined
  /** Variables such as `SKEIN_LISTEN_PORT`; they override the file. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** What the command line gave, by path (`listen.port`); it overrides all. */
  readonly flags?: Readonly<Record<string, string | number | undefined>>
}

/**
 * The configuration of a node: defaults, then the file, then the environment, then flags. Throws `bad-config` naming
 * where the mistake stands (file and line, variable, or flag), the key, and the nearest valid key for an unknown one.
 */
export function readConfig(sources: ConfigSources): NodeConfig {
  checkVariables(sources.environment ?? {})
  const file = sources.file === undefined ? undefined : parseFile(sources.file)
  const values = file?.values ?? {}
  const origins = new Map<string, string>()
  const placeOf = (path: Path) => origins.get(path.join('.')) ?? file?.place(path)
  for (const layer of [ofEnvironment(sources.environment ?? {}), ofFlags(sources.flags ?? {})]) {
    checkCovered(values, layer, placeOf)
    for (const setting of layer) override(values, setting, origins)
  }
  const result = configSchema.safeParse(values)
  if (result.success) return checkWhole(result.data)
  // A misspelt key first: what is said to be missing may be what it was meant for.
  const issue = result.error.issues.find(({ code }) => code === 'unrecognized_keys') ?? result.error.issues[0]!
  throw configError(issue, values, placeOf)
}

/** One setting of the environment or of the command line. */
interface Setting {
  readonly path: readonly string[]
  readonly value: unknown
  /** The variable's name, or the flag's. */
  readonly origin: string
}

function ofEnvironment(environment: Readonly<Record<string, string | undefined>>): Setting[] {
  return scalarSettings().flatMap(({ path, isNumber }) => {
    const origin = variableName(path)
    const text = environment[origin]
    if (text === undefined || text === '') return []
    return [{ path, value: isNumber ? numberOr(text) : text, origin }]
  })
}

function ofFlags(flags: Readonly<Record<string, string | number | undefined>>): Setting[] {
  return Object.entries(flags).flatMap(([dotted, value]) => {
    const path = dotted.split('.')
    return value === undefined ? [] : [{ path, value, origin: `--${path.at(-1)}` }]
  })
}

/** What a layer is about to cover must be right all the same: the next start may be without it. */
function checkCovered(
  values: Record<string, unknown>,
  layer: readonly Setting[],
  placeOf: (path: Path) => string | undefined,
): void {
  const issue = configSchema
    .safeParse(values)
    .error?.issues.find(
      ({ code, path }) =>
        code !== 'unrecognized_keys' &&
        path.length > 0 &&
        valueAt(values, path as Path) !== undefined &&
        layer.some((setting) => path.every((key, index) => setting.path[index] === key)),
    )
  if (issue !== undefined) throw configError(issue, values, placeOf)
}

/** Of the environment but no setting: where the command line finds a node. */
const CLIENT_VARIABLE = 'SKEIN_URL'

function checkVariables(environment: Readonly<Record<string, string | undefined>>): void {
  const settings = scalarSettings().map(({ path }) => variableName(path))
  const misspelt = misspeltVariable(environment, [...settings, CLIENT_VARIABLE])
  if (misspelt === undefined) return
  const { name, nearest: near } = misspelt
  throw new SkeinError(
    'bad-config',
    `Cannot use the configuration of the environment: unknown variable ${name}; did you mean ${near}?`,
    { details: { key: name, nearest: near } },
  )
}

/** A node has a log of its own or brokers: one of the two. */
function checkWhole(config: NodeConfig): NodeConfig {
  const { data, brokers } = config
  if ((data === undefined) !== (brokers === undefined)) return config
  const why =
    data === undefined
      ? 'data: it is not set; give --data DIR, or name brokers'
      : 'data: the brokers keep everything, and there is no log beside them; leave out data, or brokers'
  throw new SkeinError('bad-config', `Cannot use the configuration: ${why}`, { details: { key: 'data' } })
}

/** `listen.port` is set by `SKEIN_LISTEN_PORT`, `limits.httpBodyBytes` by `SKEIN_LIMITS_HTTP_BODY_BYTES`. */
export function variableName(path: readonly string[]): string {
  return ['skein', ...path].map((key) => key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()).join('_')
}

function parseFile(file: { name: string; text: string }) {
  const lines = new LineCounter()
  const document = parseDocument(file.text, { lineCounter: lines })
  const broken = document.errors[0]
  if (broken) {
    const line = broken.linePos?.[0].line ?? 1
    const why = broken.message.split('\n')[0]!.replace(/ at line \d+.*$/, '')
    throw new SkeinError('bad-config', `Cannot read the configuration at ${file.name}:${line}: ${why}`, {
      cause: broken,
      details: { file: file.name, line },
    })
  }
  const place = (path: Path) => {
    const offset = offsetOf(document, path)
    return offset === undefined ? file.name : `${file.name}:${lines.linePos(offset).line}`
  }
  const values: unknown = document.toJS() ?? {}
  if (!isMap(document.contents) && document.contents !== null) {
    throw new SkeinError(
      'bad-config',
      `Cannot read the configuration at ${file.name}:1: it must be a map of settings`,
      {
        details: { file: file.name, line: 1 },
      },
    )
  }
  return { values: values as Record<string, unknown>, place }
}

/** Where the key that ends this path, or the nearest thing around it, stands in the text. */
function offsetOf(document: ReturnType<typeof parseDocument>, path: Path): number | undefined {
  for (let length = path.length; length > 0; length -= 1) {
    const parent = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true)
    const last = path[length - 1]
    if (isMap(parent)) {
      const pair = parent.items.find((item) => isScalar(item.key) && item.key.value === last)
      if (isScalar(pair?.key) && pair.key.range) return pair.key.range[0]
    }
    const node = document.getIn(path.slice(0, length), true) as { range?: [number, number, number] } | undefined
    if (node?.range) return node.range[0]
  }
  return undefined
}

function override(values: Record<string, unknown>, setting: Setting, origins: Map<string, string>): void {
  const { path, value, origin } = setting
  let target = values
  for (const key of path.slice(0, -1)) {
    const inner = target[key]
    if (typeof inner !== 'object' || inner === null) target[key] = {}
    target = target[key] as Record<string, unknown>
  }
  target[path.at(-1)!] = value
  origins.set(path.join('.'), origin)
}

function numberOr(text: string): number | string {
  const value = Number(text)
  return text.trim() === '' || Number.isNaN(value) ? text : value
}

function configError(
  issue: z.core.$ZodIssue,
  values: unknown,
  placeOf: (path: Path) => string | undefined,
): SkeinError {
  const path = issue.path as Path
  const unknownKey = issue.code === 'unrecognized_keys' ? issue.keys[0] : undefined
  const fullPath = unknownKey === undefined ? path : [...path, unknownKey]
  const place = placeOf(fullPath)
  const key = fullPath.join('.')
  const where = place === undefined ? '' : ` at ${place}`
  const [file, line] = place?.includes(':') ? splitPlace(place) : [place, undefined]
  if (unknownKey === undefined) {
    return new SkeinError(
      'bad-config',
      `Cannot use the configuration${where}: ${key}: ${reasonOf(issue, valueAt(values, path))}`,
      {
        details: { file, line, key },
      },
    )
  }
  const valid = validKeys(path)
  const near = nearest(unknownKey, valid)
  const hint = near === undefined ? `valid here: ${valid.join(', ')}` : `did you mean "${near}"?`
  return new SkeinError('bad-config', `Cannot use the configuration${where}: unknown key "${key}"; ${hint}`, {
    details: { file, line, key, nearest: near },
  })
}

function valueAt(values: unknown, path: Path): unknown {
  let value = values
  for (const step of path) value = (value as Record<string | number, unknown> | undefined)?.[step]
  return value
}

function splitPlace(place: string): [string, number] {
  const colon = place.lastIndexOf(':')
  return [place.slice(0, colon), Number(place.slice(colon + 1))]
}
