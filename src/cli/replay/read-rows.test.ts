import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { compileColumns, FLIGHT_COLUMNS, type Row } from './columns.ts'
import { splitCsvRecord } from './csv.ts'
import { decompressed } from './decompress.ts'
import { readRows } from './read-rows.ts'

const HEADER = 't_s,agent_id,agent_type,region,recorded_at_ms,latitude,climb_mps'
const flights = compileColumns(FLIGHT_COLUMNS)

async function* inChunks(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size)
}

async function read(text: string | Uint8Array, chunkBytes = 1 << 16, columns = flights) {
  const rows: Row[] = []
  const bad: Array<[number, string]> = []
  for await (const block of readRows(decompressed(inChunks(Buffer.from(text), chunkBytes)), columns)) {
    rows.push(...block.rows)
    for (const row of block.bad) bad.push([row.line, row.message])
  }
  return { rows, bad }
}

test('A CSV row becomes compact JSON in file order, numbers as numbers, empty cells left out', async () => {
  const { rows } = await read(`${HEADER}\n0.0,3e6562,glider,danube_valley,1558601548000,49.7942,\n`)
  assert.deepEqual(rows, [
    {
      line: 2,
      key: '3e6562',
      subject: 'swarm.telemetry.danube_valley.3e6562',
      payload:
        '{"t_s":0,"agent_id":"3e6562","agent_type":"glider","region":"danube_valley","recorded_at_ms":1558601548000,"latitude":49.7942}',
      timeS: 0,
    },
  ])
})

test('An id of digits stays text', async () => {
  const { rows } = await read(`${HEADER}\n1,003942,glider,r,1,1,1\n`)
  assert.equal(rows[0]?.key, '003942')
  assert.match(rows[0]!.payload, /"agent_id":"003942"/)
})

test('The same rows as JSON lines give the same payloads', async () => {
  const csv = await read(`${HEADER}\n0.0,3e6562,glider,north,1,49.70,\n7.5,-1,glider,north,1,-0.0,1e2\n`)
  const json = await read(
    '{"t_s":"0.0","agent_id":"3e6562","agent_type":"glider","region":"north","recorded_at_ms":1,"latitude":49.70,"climb_mps":""}\n' +
      '\n{"t_s":7.5,"agent_id":"-1","agent_type":"glider","region":"north","recorded_at_ms":1,"latitude":-0.0,"climb_mps":100}',
  )
  assert.deepEqual(json.bad, [])
  assert.deepEqual(
    json.rows.map((row) => [row.key, row.subject, row.payload, row.timeS]),
    csv.rows.map((row) => [row.key, row.subject, row.payload, row.timeS]),
  )
})

test('Gzip is found by its magic number, also when pieces are one byte long', async () => {
  const text = `${HEADER}\n0,a,b,c,1,2,3\n`
  assert.equal((await read(gzipSync(text), 1)).rows.length, 1)
  const twoMembers = Buffer.concat([gzipSync(`${HEADER}\n`), gzipSync('0,a,b,c,1,2,3\n')])
  assert.equal((await read(twoMembers)).rows.length, 1)
})

test('Damaged or cut gzip is bad-input, never a shorter file', async () => {
  const packed = gzipSync(`${HEADER}\n${'0,a,b,c,1,2,3\n'.repeat(10_000)}`)
  await assert.rejects(read(packed.subarray(0, packed.length - 20)), { code: 'bad-input' })
  packed[packed.length - 6]! ^= 0xff
  await assert.rejects(read(packed), { code: 'bad-input' })
})

test('Rows do not depend on where the pieces of a file end', async () => {
  const text = `\ufeff${HEADER}\r\n0,ä,"x, ""y""\nz",c,1,2,3\r\n\r\n1,b,b,c,1,2,3`
  const whole = await read(text)
  assert.equal(whole.rows.length, 2)
  assert.match(whole.rows[0]!.payload, /"agent_type":"x, \\"y\\"\\nz"/)
  for (let size = 1; size < 40; size += 1) assert.deepEqual(await read(text, size), whole)
})

test('Each bad row is reported with its line, and the rows around it are read', async () => {
  const lines = [
    HEADER,
    '0,a,b,c,1,2,3',
    '0,a,b,c,1,2',
    '0,,b,c,1,2,3',
    '0,a,b,,1,2,3',
    '0,a,b,c,1,north,3',
    '0,a,b,c,1,0x10,3',
    'soon,a,b,c,1,2,3',
    '0,a,b,c,1,"2"x,3',
    '0,a"b,b,c,1,2,3',
    '0,a b,b,c,1,2,3',
    '1,a,b,c,1,2,3',
  ]
  const { rows, bad } = await read(lines.join('\n'))
  assert.deepEqual(
    rows.map((row) => row.line),
    [2, 12],
  )
  assert.deepEqual(
    bad.map(([line]) => line),
    [3, 4, 5, 6, 7, 8, 9, 10, 11],
  )
  assert.match(bad[0]![1], /6 cells where the header names 7/)
  assert.match(bad[3]![1], /"latitude" is no number: "north"/)
})

test('A line that is not UTF-8, and one that is too long, are bad rows of their own', async () => {
  const good = '0,a,b,c,1,2,3\n'
  const text = Buffer.concat([
    Buffer.from(`${HEADER}\n${good}`),
    Buffer.from([0x30, 0x2c, 0xff, 0xfe, 0x0a]),
    Buffer.from(good),
    Buffer.alloc(3 * 1024 * 1024, 'x'),
    Buffer.from(`\n${good}`),
  ])
  for (const size of [1000, 1 << 22]) {
    const { rows, bad } = await read(text, size)
    assert.deepEqual(
      rows.map((row) => row.line),
      [2, 4, 6],
    )
    assert.deepEqual(
      bad.map(([line]) => line),
      [3, 5],
    )
  }
})

const GOOD = '1,a,b,c,1,2,3'
const UNCLOSED = '0,"a,b,c,1,2,3'

for (const [name, lines, badLines] of [
  ['that is never closed', [UNCLOSED, GOOD, GOOD], [2]],
  ['that is not closed within the length of a record', [UNCLOSED, ...Array<string>(20_000).fill(GOOD)], [2]],
  ['that a quoted cell of a later row would close', [GOOD, UNCLOSED, GOOD, '0,a,"b",c,1,2,3', GOOD], [3]],
  ['that another unclosed quote would close into a row', ['0,a,"b,c,1,2,3', GOOD, '0,a,b",c,1,2,3', GOOD], [2, 4]],
  ['of the last line', [GOOD, UNCLOSED], [3]],
  ['of two lines that follow each other', [UNCLOSED, UNCLOSED, GOOD], [2, 3]],
] as const) {
  test(`A quote ${name} is a bad row of its own, and swallows no row`, async () => {
    for (const size of [7, 1 << 16]) {
      const { rows, bad } = await read([HEADER, ...lines].join('\n'), lines.length > 1_000 ? 1 << 16 : size)
      assert.deepEqual(
        bad.map(([line]) => line),
        badLines,
      )
      const badRows = new Set<number>(badLines)
      assert.deepEqual(
        rows.map((row) => row.line),
        lines.map((_, index) => index + 2).filter((line) => !badRows.has(line)),
      )
    }
  })
}

test('A line that is no text ends a quote that is open', async () => {
  const text = Buffer.concat([
    Buffer.from(`${HEADER}\n${UNCLOSED}\n${GOOD}\n`),
    Buffer.from([0xff, 0x0a]),
    Buffer.from(`${GOOD}\n`),
  ])
  const { rows, bad } = await read(text)
  assert.deepEqual(
    [rows.map((row) => row.line), bad.map(([line]) => line)],
    [
      [3, 5],
      [2, 4],
    ],
  )
})

test('Bad JSON lines are reported with their line', async () => {
  const good = '{"t_s":0,"agent_id":"a","region":"r"}'
  const { rows, bad } = await read(
    `${good}\n{"t_s":\n[1]\n{"t_s":0,"region":"r"}\n{"t_s":{},"agent_id":"a","region":"r"}\n${good}`,
  )
  assert.equal(rows.length, 2)
  assert.deepEqual(
    bad.map(([line]) => line),
    [2, 3, 4, 5],
  )
})

test('A file without the columns asked for is refused with the nearest name', async () => {
  await assert.rejects(read('t_s,agentid,region\n0,a,b\n'), {
    code: 'bad-input',
    message: /"agent_id".*did you mean "agentid"/,
  })
  await assert.rejects(read('t_s,agent_id,agent_id,region\n'), { code: 'bad-input', message: /twice/ })
  await assert.rejects(read(''), { code: 'bad-input', message: /empty/ })
  await assert.rejects(read('"a\n1\n2\n', 2), { code: 'bad-input', message: /first line.*never closed/ })
})

test('A misspelt column of numbers is refused with the nearest name, the default ones are there or not', async () => {
  const named = compileColumns({ ...FLIGHT_COLUMNS, numbers: ['t_s', 'baterry'] })
  const wrong = { code: 'bad-input', message: /"baterry" for the numbers \(--numbers\); did you mean "battery"\?/ }
  await assert.rejects(read('t_s,agent_id,region,battery\n0,a,r,1\n', 99, named), wrong)
  await assert.rejects(read('{"t_s":0,"agent_id":"a","region":"r","battery":"1"}', 99, named), wrong)
  const sparse = '{"t_s":0,"agent_id":"a","region":"r"}\n{"t_s":0,"agent_id":"a","region":"r","baterry":"1"}'
  assert.match((await read(sparse, 99, named)).rows[1]!.payload, /"baterry":1/)
  assert.equal((await read('t_s,agent_id,region\n0,a,r\n')).rows.length, 1)
})

test('A JSON row without a column that is needed names the nearest it has', async () => {
  const { bad } = await read('{"t_s":0,"agentid":"a","region":"r"}')
  assert.match(bad[0]![1], /"agent_id" is missing; did you mean "agentid"\?/)
})

test('splitCsvRecord() gives back any cells that were written by the rules of RFC 4180', () => {
  const written = (cell: string) => (/[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: fc.constantFrom('a', ',', '"', '\n', 'é', ' ') }), { minLength: 1 }),
      (cells) => {
        assert.deepEqual(splitCsvRecord(cells.map(written).join(',')), cells)
      },
    ),
  )
})
