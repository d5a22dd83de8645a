/** What a reader of committed messages found, compared with what went in. */
export interface OutputFindings {
  /** Inputs that have exactly one output. */
  readonly outputsOnce: number
  readonly missing: number
  /** Inputs with more than one output. */
  readonly doubled: number
  /** Outputs that belong to no input. */
  readonly strange: number
}

const OUTPUT = /^done (\d+)$/

/** The text of the output for one input. */
export function outputOf(input: string): string {
  return `done ${input}`
}

/** `lines`: one output each, in any order. Inputs are the numbers from 0 up. */
export function checkOutputs(lines: readonly string[], inputs: number): OutputFindings {
  const counts = new Uint32Array(inputs)
  let strange = 0
  for (const line of lines) {
    const number = Number(OUTPUT.exec(line)?.[1] ?? -1)
    if (number >= 0 && number < inputs) counts[number]! += 1
    else strange += 1
  }
  let [outputsOnce, missing, doubled] = [0, 0, 0]
  for (const count of counts) {
    if (count === 0) missing += 1
    else if (count === 1) outputsOnce += 1
    else doubled += 1
  }
  return { outputsOnce, missing, doubled, strange }
}
