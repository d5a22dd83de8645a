import { type FileHandle, open } from 'node:fs/promises'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { type PositionReport, PositionSchema, positionReport, ReportCheck } from './position-report.ts'

const BATCH_BYTES = 256 * 1024
const FRAME_BYTES_MAX = 512
const HEADER_BYTES = 6

const validate = new Ajv2020().compile(PositionSchema)

export interface BareRun {
  readonly ms: number
  /** Each `fdatasync`. */
  readonly syncMs: readonly number[]
}

/** The same work with nothing between: check, stringify, frame, write and sync batch by batch, read back, parse. */
export async function bareLoop(path: string, agentIds: readonly string[], messages: number): Promise<BareRun> {
  const startMs = performance.now()
  const file = await open(path, 'wx+')
  try {
    const syncMs: number[] = []
    const bytes = await writeAll(file, { agentIds, messages, syncMs })
    const check = new ReportCheck()
    await readAll(file, bytes, check)
    check.finish(messages)
    return { ms: performance.now() - startMs, syncMs }
  } finally {
    await file.close()
  }
}

/** One batch is written while the next is encoded, as a group commit does. */
async function writeAll(
  file: FileHandle,
  work: { readonly agentIds: readonly string[]; readonly messages: number; readonly syncMs: number[] },
): Promise<number> {
  const buffers = [Buffer.allocUnsafeSlow(BATCH_BYTES), Buffer.allocUnsafeSlow(BATCH_BYTES)]
  let position = 0
  let turn = 0
  let writing: Promise<void> = Promise.resolve()
  for (let sequence = 0; sequence < work.messages; ) {
    const buffer = buffers[turn % 2]!
    let used = 0
    for (; used <= BATCH_BYTES - FRAME_BYTES_MAX && sequence < work.messages; sequence += 1) {
      used = frame(buffer, used, {
        key: work.agentIds[sequence % work.agentIds.length]!,
        report: positionReport(sequence),
      })
    }
    await writing
    writing = writeAndSync(file, buffer.subarray(0, used), { position, syncMs: work.syncMs })
    position += used
    turn += 1
  }
  await writing
  return position
}

function frame(
  buffer: Buffer,
  at: number,
  { key, report }: { readonly key: string; readonly report: PositionReport },
): number {
  if (!validate(report)) throw new Error('a report does not match its schema')
  const keyBytes = buffer.write(key, at + HEADER_BYTES, 'latin1')
  const valueBytes = buffer.write(JSON.stringify(report), at + HEADER_BYTES + keyBytes, 'utf8')
  buffer.writeUInt32LE(valueBytes, at)
  buffer.writeUInt16LE(keyBytes, at + 4)
  return at + HEADER_BYTES + keyBytes + valueBytes
}

async function writeAndSync(
  file: FileHandle,
  bytes: Buffer,
  { position, syncMs }: { readonly position: number; readonly syncMs: number[] },
): Promise<void> {
  await file.writev([bytes], position)
  const startMs = performance.now()
  await file.datasync()
  syncMs.push(performance.now() - startMs)
}

async function readAll(file: FileHandle, bytes: number, check: ReportCheck): Promise<void> {
  const buffer = Buffer.allocUnsafeSlow(BATCH_BYTES)
  for (let position = 0; position < bytes; ) {
    const { bytesRead } = await file.read(buffer, 0, BATCH_BYTES, position)
    const used = parseFrames(buffer.subarray(0, bytesRead), check)
    if (used === 0) throw new Error(`the file ends within a frame at ${position}`)
    position += used
  }
}

/** Whole frames only; the rest is read again with what follows it. */
function parseFrames(buffer: Buffer, check: ReportCheck): number {
  let at = 0
  while (at + HEADER_BYTES <= buffer.byteLength) {
    const keyStart = at + HEADER_BYTES
    const valueStart = keyStart + buffer.readUInt16LE(at + 4)
    const end = valueStart + buffer.readUInt32LE(at)
    if (end > buffer.byteLength) break
    const key = buffer.toString('latin1', keyStart, valueStart)
    check.add(key, JSON.parse(buffer.toString('utf8', valueStart, end)) as PositionReport)
    at = end
  }
  return at
}
