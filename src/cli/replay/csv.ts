/** One record cut into cells; `open`: a quote was not closed yet, so the record goes on in the next line. */
export type CsvRecord = readonly string[] | 'open' | { readonly problem: string }

/** Cuts a record by RFC 4180: cells between commas, quoted where they hold commas, quotes (doubled) or line ends. */
export function splitCsvRecord(text: string): CsvRecord {
  if (!text.includes('"')) return text.split(',')
  const cells: string[] = []
  for (let start = 0; start <= text.length; ) {
    if (text[start] !== '"') {
      const found = text.indexOf(',', start)
      const end = found === -1 ? text.length : found
      const cell = text.slice(start, end)
      if (cell.includes('"')) return { problem: `cell ${cells.length + 1} has a quote inside, but is not quoted` }
      cells.push(cell)
      start = end + 1
      continue
    }
    const end = closingQuote(text, start + 1)
    if (end === -1) return 'open'
    const after = text[end + 1]
    if (after !== undefined && after !== ',')
      return { problem: `cell ${cells.length + 1} has text after its closing quote` }
    cells.push(text.slice(start + 1, end).replaceAll('""', '"'))
    start = end + 2
  }
  return cells
}

function closingQuote(text: string, from: number): number {
  for (let index = text.indexOf('"', from); index !== -1; index = text.indexOf('"', index + 2)) {
    if (text[index + 1] !== '"') return index
  }
  return -1
}
