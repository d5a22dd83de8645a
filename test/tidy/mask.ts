/** A string literal of the source, by the positions of its quotes. */
export interface Literal {
  readonly start: number
  readonly text: string
}

interface Masked {
  /** The source with comments, string contents and regular expressions blanked: same length, same lines. */
  readonly code: string
  readonly literals: readonly Literal[]
}

/** Words after which a slash begins a regular expression rather than a division. */
const BEFORE_REGEX = new Set([
  'return',
  'typeof',
  'case',
  'in',
  'of',
  'delete',
  'void',
  'throw',
  'new',
  'else',
  'await',
])

/** Tells code from text, tolerantly: enough of a lexer for rules that look for words, braces and imports. */
export function mask(source: string): Masked {
  const scanner = new Scanner(source)
  scanner.code(0)
  return { code: scanner.out.join(''), literals: scanner.literals }
}

class Scanner {
  readonly out: string[]
  readonly literals: Literal[] = []
  readonly #source: string
  /** The last thing that was neither space nor comment: decides what a slash means. */
  #previous = ''

  constructor(source: string) {
    this.#source = source
    this.out = source.split('')
  }

  /** Scans code from `start`, inside a template up to the brace that closes it; returns where it stopped. */
  code(start: number, insideTemplate = false): number {
    let at = start
    let depth = 0
    while (at < this.#source.length) {
      const char = this.#source[at]!
      if (char === '{') depth += 1
      if (char === '}') {
        if (insideTemplate && depth === 0) return at
        depth -= 1
      }
      at = this.#step(at, char)
    }
    return at
  }

  #step(at: number, char: string): number {
    const next = this.#source[at + 1]
    if (char === '/' && next === '/') return this.#blank(at, this.#end('\n', at))
    if (char === '/' && next === '*') return this.#blank(at, this.#end('*/', at + 2) + 2)
    if (char === "'" || char === '"') return this.#string(at, char)
    if (char === '`') return this.#template(at)
    if (char === '/' && this.#regexMayStart()) return this.#regex(at)
    const word = /[\w$]+/y
    word.lastIndex = at
    const found = word.exec(this.#source)
    if (found !== null) this.#previous = found[0]
    else if (char.trim() !== '') this.#previous = char
    return at + (found?.[0].length ?? 1)
  }

  #regexMayStart(): boolean {
    return this.#previous === '' || BEFORE_REGEX.has(this.#previous) || /^[(,=:[!&|?{};+\-*%<>~^]$/.test(this.#previous)
  }

  #end(mark: string, from: number): number {
    const found = this.#source.indexOf(mark, from)
    return found === -1 ? this.#source.length : found
  }

  #blank(from: number, to: number): number {
    for (let at = from; at < Math.min(to, this.out.length); at += 1) if (this.out[at] !== '\n') this.out[at] = ' '
    return to
  }

  #string(start: number, quote: string): number {
    let at = start + 1
    while (at < this.#source.length && this.#source[at] !== quote && this.#source[at] !== '\n') {
      at += this.#source[at] === '\\' ? 2 : 1
    }
    this.literals.push({ start, text: this.#source.slice(start + 1, at) })
    this.#blank(start + 1, at)
    this.#previous = 'text'
    return at + 1
  }

  #template(start: number): number {
    let at = start + 1
    let textFrom = at
    while (at < this.#source.length && this.#source[at] !== '`') {
      if (this.#source.startsWith('${', at)) {
        this.#blank(textFrom, at)
        this.#previous = '{'
        at = this.code(at + 2, true)
        textFrom = at + 1
      }
      at += this.#source[at] === '\\' ? 2 : 1
    }
    this.literals.push({ start, text: this.#source.slice(start + 1, at) })
    this.#blank(textFrom, at)
    this.#previous = 'text'
    return at + 1
  }

  #regex(start: number): number {
    let at = start + 1
    let inClass = false
    while (at < this.#source.length && this.#source[at] !== '\n' && (inClass || this.#source[at] !== '/')) {
      if (this.#source[at] === '[') inClass = true
      if (this.#source[at] === ']') inClass = false
      at += this.#source[at] === '\\' ? 2 : 1
    }
    this.#blank(start + 1, at)
    this.#previous = 'text'
    return at + 1
  }
}
