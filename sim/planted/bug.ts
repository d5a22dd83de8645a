import { readFileSync } from 'node:fs'
import { basename } from 'node:path'

/** A patch to production code that the harness must catch. */
export interface Bug {
  /** From the file's name: `acknowledge-before-sync`. */
  readonly name: string
  /** The patch file, as it was given. */
  readonly file: string
  /** From a line `Group: …` above the first diff. */
  readonly group: string
  /** Files it changes. */
  readonly touches: readonly string[]
}

/** Reads a patch file; throws when it changes nothing, or anything but production code. */
export function readBug(file: string): Bug {
  return describeBug(file, readFileSync(file, 'utf8'))
}

export function describeBug(file: string, text: string): Bug {
  const touches = new Set<string>()
  for (const match of text.matchAll(/^(?:---|\+\+\+) (?:[ab]\/)?([^\t\n]+)/gm)) {
    if (match[1] !== '/dev/null') touches.add(match[1]!.trim())
  }
  if (touches.size === 0) throw new Error(`Cannot plant ${file}: it holds no unified diff`)
  for (const path of touches) {
    if (!path.startsWith('src/') || path.endsWith('.test.ts')) {
      throw new Error(`Cannot plant ${file}: it changes ${path}; a planted bug is in production code, below src/`)
    }
  }
  return {
    name: basename(file).replace(/\.(patch|diff)$/, ''),
    file,
    group: /^Group: *(\S+)/m.exec(text.split(/^(?:diff|---) /m, 1)[0]!)?.[1] ?? 'given',
    touches: [...touches],
  }
}
