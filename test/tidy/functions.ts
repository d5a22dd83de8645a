import { lineAt } from './source.ts'

interface FunctionSpan {
  readonly name: string
  readonly line: number
  readonly lineCount: number
}

/** The callback of a suite is a list of tests, not a function to understand. */
const SUITE = /\b(?:describe|suite)\([^()]*,\s*(?:async\s*)?$|\bfunction describe\w+\s*$/
const CONTROL = new Set(['if', 'for', 'while', 'switch', 'catch', 'with'])

/** Every function, method, accessor and arrow function with a block in masked code. */
export function functionsOf(code: string): FunctionSpan[] {
  const pairs = matchBrackets(code)
  const spans: FunctionSpan[] = []
  for (const [open, close] of pairs) {
    const found = code[open] === '(' ? afterParameters(code, pairs, open, close) : undefined
    if (found === undefined) continue
    const end = pairs.get(found.body)
    if (end === undefined) continue
    const line = lineAt(code, open)
    spans.push({ name: found.name, line, lineCount: lineAt(code, end) - lineAt(code, found.body) + 1 })
  }
  return spans
}

/** Opening to closing position of every bracket. */
function matchBrackets(code: string): Map<number, number> {
  const pairs = new Map<number, number>()
  const open: number[] = []
  for (let at = 0; at < code.length; at += 1) {
    const char = code[at]!
    if (char === '(' || char === '[' || char === '{') open.push(at)
    else if (char === ')' || char === ']' || char === '}') {
      const start = open.pop()
      if (start !== undefined) pairs.set(start, at)
    }
  }
  return pairs
}

/** The body that belongs to a pair of parentheses, if they hold a function's parameters. */
function afterParameters(
  code: string,
  pairs: ReadonlyMap<number, number>,
  open: number,
  close: number,
): { readonly name: string; readonly body: number } | undefined {
  const before = code.slice(Math.max(0, open - 200), open)
  const name = /([#\w$]+)\s*(?:<[^()]*>)?\s*$/.exec(before)?.[1] ?? 'arrow function'
  if (CONTROL.has(name) || SUITE.test(before)) return undefined
  let at = skipSpace(code, close + 1)
  if (code[at] === ':') at = skipType(code, pairs, at + 1)
  if (code.startsWith('=>', at)) at = skipSpace(code, at + 2)
  return code[at] === '{' ? { name, body: at } : undefined
}

/** Skips a return type; stops at the body's brace, at `=>`, or where it turns out to be none. */
function skipType(code: string, pairs: ReadonlyMap<number, number>, from: number): number {
  let at = from
  let wantsOperand = true
  while (at < code.length) {
    at = skipSpace(code, at)
    const char = code[at]!
    const word = /^[\w$.]+/.exec(code.slice(at, at + 100))?.[0]
    if (char === '{' && !wantsOperand) return at
    if (char === '{' || char === '[' || char === '(') {
      at = (pairs.get(at) ?? code.length) + 1
      wantsOperand = code.startsWith('=>', skipSpace(code, at)) && char === '('
      if (wantsOperand) at = skipSpace(code, at) + 2
    } else if (char === '<') at = skipAngles(code, at)
    else if (char === '|' || char === '&') {
      at += 1
      wantsOperand = true
    } else if (word !== undefined) {
      at += word.length
      wantsOperand = /^(is|keyof|readonly|typeof|asserts|extends|infer|unique)$/.test(word)
    } else if (char === "'" || char === '"') {
      at = code.indexOf(char, at + 1) + 1
      wantsOperand = false
    } else return at
  }
  return at
}

function skipAngles(code: string, from: number): number {
  let depth = 0
  for (let at = from; at < code.length; at += 1) {
    if (code[at] === '<') depth += 1
    if (code[at] === '>' && code[at - 1] !== '=') depth -= 1
    if (depth === 0) return at + 1
  }
  return code.length
}

function skipSpace(code: string, from: number): number {
  let at = from
  while (at < code.length && code[at]!.trim() === '') at += 1
  return at
}
