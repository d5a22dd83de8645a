import { functionsOf } from '../functions.ts'
import type { Rule } from '../rule.ts'

const FUNCTION_LINES_MAX = 70
const FILE_LINES_MAX = 500

/** Law 5, first half. */
export const size: Rule = {
  name: 'Functions stay under 70 lines and files under 500',
  check(tree) {
    const found: string[] = []
    for (const source of tree.sources.values()) {
      const lines = source.text.split('\n').length - 1
      if (lines >= FILE_LINES_MAX) found.push(`${source.path}: ${lines} lines: split it by concept`)
      for (const { name, line, lineCount } of functionsOf(source.code)) {
        if (lineCount < FUNCTION_LINES_MAX) continue
        found.push(`${source.path}:${line}: ${name} has ${lineCount} lines: keep the branches, give the leaves names`)
      }
    }
    return found
  },
  guilty: [
    { files: { 'src/core/a.ts': '\n'.repeat(501) }, finds: /501 lines/ },
    { files: { 'src/core/a.ts': `function long() {${'\n'.repeat(70)}}\n` }, finds: /long has 71 lines/ },
    { files: { 'src/core/a.ts': `const x = async (a: number) => {${'\n'.repeat(70)}}\n` }, finds: /71 lines/ },
    {
      files: {
        'src/core/a.ts': `class A {\n  #go(a = f(1), { b }: { b: string }): Promise<{ c: 1 } | null> {${'\n'.repeat(70)}}\n}\n`,
      },
      finds: /:2: #go has 71 lines/,
    },
    { files: { 'src/core/a.ts': `function isIt(x: unknown): x is A {${'\n'.repeat(70)}}\n` }, finds: /isIt/ },
    { files: { 'src/core/a.ts': `const o = { get size() {${'\n'.repeat(70)}} }\n` }, finds: /size/ },
  ],
  innocent: [
    {
      'src/core/a.test.ts': `describe('a suite', () => {${'\n'.repeat(90)}})\ndescribe(name, () => {${'\n'.repeat(90)}})\n`,
    },
    { 'testing/a.suite.ts': `function describeIt(): void {${'\n'.repeat(90)}}\n` },
    {
      'src/core/a.ts': `class Long {\n${'  a() {\n    if (x) {\n    }\n  }\n'.repeat(60)}}\n`,
      'src/core/b.ts': `interface A {${'\n'.repeat(90)}}\nconst table = {${'\n'.repeat(90)}}\n`,
    },
  ],
}
