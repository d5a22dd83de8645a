import { posix } from 'node:path'
import type { Rule } from '../rule.ts'

const KEBAB = /^[a-z0-9]+(-[a-z0-9]+)*(\.(test|suite|d))?\.(ts|mjs)$/
const VAGUE = new Set(['util', 'utils', 'helper', 'helpers', 'misc', 'common', 'stuff', 'lib', 'shared'])

/** Law 5, second half. */
export const names: Rule = {
  name: 'File names are kebab-case and say what is inside',
  check(tree) {
    const found: string[] = []
    for (const path of tree.sources.keys()) {
      const name = posix.basename(path)
      if (!KEBAB.test(name)) found.push(`${path}: use kebab-case, named after its export`)
      else if (VAGUE.has(name.split('.')[0]!)) found.push(`${path}: "${name}" says nothing: name it after its export`)
    }
    return found
  },
  guilty: [
    { files: { 'src/core/keyHash.ts': '' }, finds: /kebab-case/ },
    { files: { 'src/core/utils.ts': '' }, finds: /says nothing/ },
  ],
  innocent: [{ 'src/core/key-hash.test.ts': '', 'testing/bus.suite.ts': '', 'src/core/uuid.ts': '' }],
}
