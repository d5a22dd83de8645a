import { type ParseArgsConfig, parseArgs } from 'node:util'

const HOUSE = {
  help: { type: 'boolean', short: 'h' },
  // Reports are JSON either way; the flag is what every command of the house understands.
  json: { type: 'boolean' },
} as const

/** Arguments of a command of the house: `--help` prints its text, and what is not understood ends with exit code 2. */
export function parseCommand<Options extends NonNullable<ParseArgsConfig['options']>>(help: string, options: Options) {
  try {
    const { values, positionals } = parseArgs<{ allowPositionals: true; options: Options & typeof HOUSE }>({
      allowPositionals: true,
      options: { ...options, ...HOUSE },
    })
    if ((values as { readonly help?: boolean }).help === true) {
      console.log(help)
      process.exit(0)
    }
    return { values, positionals }
  } catch (error) {
    return misunderstood(help, error instanceof Error ? error.message : String(error))
  }
}

/** Says what was not understood, and what would be. */
export function misunderstood(help: string, problem: string): never {
  console.error(`${problem}\n\n${help}`)
  process.exit(2)
}
