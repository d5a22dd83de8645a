import { type Literal, mask } from './mask.ts'

/** One import, re-export, dynamic import or `import('…')` type of a file. */
export interface Import {
  readonly specifier: string
  readonly line: number
  /** `all`: a namespace, dynamic or type import, which may use every export. `star`: `export * from`. */
  readonly kind: 'named' | 'all' | 'star' | 'type-star' | 'bare'
  readonly reExport: boolean
  readonly names: ReadonlyArray<{ readonly imported: string; readonly local: string }>
}

interface Export {
  readonly name: string
  readonly line: number
  readonly isType: boolean
}

/** A source file, read as far as the rules of the house need. */
export interface Source {
  readonly path: string
  readonly text: string
  /** The text without comments and string contents: see `mask`. */
  readonly code: string
  readonly literals: readonly Literal[]
  readonly imports: readonly Import[]
  /** What it declares and exports itself; re-exports stand in `imports`. */
  readonly exports: readonly Export[]
}

export function parseSource(path: string, text: string): Source {
  const { code, literals } = mask(text)
  const byStart = new Map(literals.map((literal) => [literal.start, literal.text]))
  return { path, text, code, literals, imports: findImports(code, byStart), exports: findExports(code) }
}

export function lineAt(text: string, position: number): number {
  let line = 1
  for (let at = text.indexOf('\n'); at !== -1 && at < position; at = text.indexOf('\n', at + 1)) line += 1
  return line
}

const FROM = /\b(import|export)\s+(type\s+)?([\w$*{}\s,]+?)\s+from\s*(?=['"])/g
const BARE = /(?<![.\w$])import\s*(?=['"])/g
const CALL = /(?<![.\w$])(?:import|require)\s*\(\s*(?=['"`])/g

function findImports(code: string, literals: ReadonlyMap<number, string>): Import[] {
  const found: Import[] = []
  const push = (match: RegExpExecArray, rest: Omit<Import, 'specifier' | 'line'>) => {
    const specifier = literals.get(match.index + match[0].length)
    if (specifier !== undefined) found.push({ specifier, line: lineAt(code, match.index), ...rest })
  }
  for (const match of code.matchAll(FROM)) {
    push(match, { reExport: match[1] === 'export', ...readClause(match[3]!, match) })
  }
  for (const match of code.matchAll(BARE)) push(match, { kind: 'bare', reExport: false, names: [] })
  for (const match of code.matchAll(CALL)) push(match, { kind: 'all', reExport: false, names: [] })
  return found
}

function readClause(clause: string, match: RegExpExecArray): Pick<Import, 'kind' | 'names'> {
  if (clause.includes('*')) {
    if (match[1] === 'import' || /\bas\b/.test(clause)) return { kind: 'all', names: [] }
    return { kind: match[2] === undefined ? 'star' : 'type-star', names: [] }
  }
  const names = readNames(/\{([^}]*)\}/.exec(clause)?.[1] ?? '')
  const byDefault = /^([\w$]+)/.exec(clause.trim())?.[1]
  if (byDefault !== undefined) names.push({ imported: 'default', local: byDefault })
  return { kind: 'named', names }
}

function readNames(list: string): Array<{ imported: string; local: string }> {
  const parts = list.split(',').map((part) => part.trim().replace(/^type\s+/, ''))
  return parts
    .filter((part) => part !== '')
    .map((part) => {
      const [imported = '', local = imported] = part.split(/\s+as\s+/)
      return { imported, local }
    })
}

const DECLARED =
  /^export\s+(?:declare\s+)?(default\b|(?:async\s+)?function\b\s*\*?|(?:abstract\s+)?class\b|const\b|let\b|interface\b|type\b)\s*([\w$]*)/gm
const LISTED = /^export\s+(type\s+)?\{([^}]*)\}(?!\s*from)/gm

function findExports(code: string): Export[] {
  const found: Export[] = []
  for (const match of code.matchAll(DECLARED)) {
    const keyword = match[1]!
    const name = keyword === 'default' ? 'default' : match[2]!
    if (name !== '') found.push({ name, line: lineAt(code, match.index), isType: /interface|type/.test(keyword) })
  }
  for (const match of code.matchAll(LISTED)) {
    for (const { local } of readNames(match[2]!)) {
      found.push({ name: local, line: lineAt(code, match.index), isType: match[1] !== undefined })
    }
  }
  return found
}
