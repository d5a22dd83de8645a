import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readConfig } from './config.ts'

const MEMBERS = '[ { id: 1, address: "127.0.0.1:7701" }, { id: 2, address: "127.0.0.1:7702" } ]'

function config(group: string) {
  return readConfig({ file: { name: 'skein.yaml', text: `data: d\nraft:\n  decisions:\n${group}` } })
}

const lines = (...given: readonly string[]) => given.map((line) => `    ${line}\n`).join('')

test('A replicated log is configured with its group, and the rest has defaults', () => {
  const { raft } = config(lines('cluster: north', 'id: 1', 'listen: 127.0.0.1:7701', `members: ${MEMBERS}`))
  const { members, join, electionTimeoutMs } = raft.decisions!
  assert.deepEqual([members.length, join, electionTimeoutMs], [2, false, 1_000])
})

test('Mistakes in the group name file, line and key, and the nearest valid key', () => {
  const whole = ['cluster: north', 'id: 1', 'listen: 127.0.0.1:7701', `members: ${MEMBERS}`]
  const cases: ReadonlyArray<readonly [given: readonly string[], message: RegExp]> = [
    [['clustr: north', ...whole.slice(1)], /:4: unknown key "raft\.decisions\.clustr"; did you mean "cluster"/],
    [[...whole, 'tls: { key: a, cert: b, authority: c }'], /:8: unknown key "raft\.decisions\.tls\.cert"/],
    [
      [...whole.slice(0, 3), 'members: [ { id: 1, adress: "a:1" } ]'],
      /"raft\.decisions\.members\.0\.adress"; did you mean "address"/,
    ],
    [whole.slice(1), /raft\.decisions\.cluster: it is missing/],
    [[whole[0]!, 'id: 0', ...whole.slice(2)], /:5: raft\.decisions\.id: it must be at least 1/],
    [[...whole.slice(0, 2), 'listen: nowhere', whole[3]!], /:6: raft\.decisions\.listen: it must be host:port/],
    [[whole[0]!, 'id: 3', ...whole.slice(2)], /members: node 3, which is this one, is not among them/],
    [
      [...whole.slice(0, 3), 'members: [ { id: 1, address: "a:1" }, { id: 1, address: "a:2" } ]'],
      /node 1 is listed twice/,
    ],
  ]
  for (const [given, message] of cases) assert.throws(() => config(lines(...given)), { code: 'bad-config', message })
})

test('A member that is to be added later lists nobody, or the others', () => {
  const joining = ['cluster: north', 'id: 4', 'listen: 127.0.0.1:7704', 'join: true']
  assert.equal(config(lines(...joining)).raft.decisions?.members.length, 0)
  assert.equal(config(lines(...joining, `members: ${MEMBERS}`)).raft.decisions?.members.length, 2)
})
