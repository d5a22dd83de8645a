import type { Rule } from '../rule.ts'

/** A command that a reader is told to run must at least be there. */
export const scripts: Rule = {
  name: 'Every file that package.json names exists',
  check(tree) {
    const commands = Object.entries({ ...tree.manifest.scripts, ...tree.manifest.bin })
    return commands.flatMap(([name, command]) =>
      [...command.matchAll(/(?<=^|\s|\.\/)[\w./-]+\.(?:ts|mjs|json)\b/g)]
        .filter((match) => !tree.texts.has(match[0].replace(/^\.\//, '')))
        .map((match) => `package.json: "${name}" names ${match[0]}, which does not exist`),
    )
  },
  guilty: [{ files: { 'package.json': '{"scripts":{"go":"node sim/go.ts --x"}}' }, finds: /sim\/go\.ts/ }],
  innocent: [
    {
      'package.json': '{"scripts":{"go":"node sim/go.ts","ok":"npm test"},"bin":{"a":"bin/a.mjs"}}',
      'sim/go.ts': '',
      'bin/a.mjs': '',
    },
  ],
}
