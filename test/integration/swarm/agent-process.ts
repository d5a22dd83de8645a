// An agent in a process of its own: `node agent-process.ts URL ID LEDGER [STATE_DIR]`. It writes a line to its ledger
// for every command that took effect, says `{"joined":epoch}` and, should it happen, `{"fenced":true}` before it ends.
import { appendFileSync } from 'node:fs'
import { connect } from '../../../src/fabric/index.ts'
import { Note } from './declarations.ts'

const [url = '', id = '', ledger = '', stateDir] = process.argv.slice(2)
const fabric = await connect(url)
const agent = await fabric.join({ id, type: 'rover', region: 'north', ...(stateDir !== undefined && { stateDir }) })
agent.handle(Note, ({ value, intentId }) => {
  appendFileSync(ledger, `${JSON.stringify({ intentId, text: value.text, epoch: agent.epoch, pid: process.pid })}\n`)
  return { epoch: agent.epoch }
})
agent.fenced.addEventListener('abort', () => {
  process.stdout.write('{"fenced":true}\n', () => process.exit(3))
})
process.stdout.write(`${JSON.stringify({ joined: agent.epoch })}\n`)
// The connection keeps no process alive by itself.
setInterval(() => {}, 60_000)
