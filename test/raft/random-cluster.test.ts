import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../testing/index.ts'
import { SimpleCluster } from './simple-cluster.ts'

/** More: `SEEDS=500 node --test test/raft/random-cluster.test.ts`. */
const SEEDS = Number(process.env.SEEDS ?? 12)
const QUIET = { loss: 0, duplication: 0, crash: 0 }

/** Runs a group with faults, then without, and expects it to agree again. */
function live(seed: number, options: { readonly size: number; readonly steps: number; readonly churn: boolean }) {
  const random = seededRandom(seed)
  const ids = Array.from({ length: options.size }, (_, at) => at + 1)
  const limits = {
    messageBytesMax: 64,
    inflightMessagesMax: 4,
    preVote: random.float() < 0.7,
    checkQuorum: random.float() < 0.7,
  }
  const cluster = new SimpleCluster(ids, { random, limits })
  if (options.churn) cluster.join(options.size + 1)
  const faults = { loss: random.float() * 0.2, duplication: random.float() * 0.3, crash: random.float() * 0.1 }
  for (let step = 0; step < options.steps; step += 1) {
    cluster.step(faults)
    if (options.churn && step % 500 === 250) churn(cluster, random.float())
    if (step % 600 === 100) cluster.partition()
    if (step % 600 === 400) cluster.heal()
    if (step % 700 === 600) cluster.transfer(cluster.pick([...cluster.members.keys()])!)
  }
  cluster.heal()
  cluster.restartAll()
  for (let step = 0; step < 4_000; step += 1) settle(cluster)
  const leader = cluster.leader()
  assert.ok(leader, 'a leader without faults')
  const { commit, lastIndex } = leader.node.status()
  assert.equal(commit, lastIndex, 'all is committed without faults')
  for (const { node, id } of cluster.up()) {
    if (!leader.node.status().peers.some((peer) => peer.id === id)) continue
    assert.equal(node.status().applied, commit, `node ${id} has applied everything`)
  }
  return cluster.counts
}

function settle(cluster: SimpleCluster): void {
  const member = cluster.pick(cluster.up())
  if (cluster.pick([0, 1, 2, 3, 4, 5]) === 0) cluster.tick(member)
  for (let count = 0; count < 4; count += 1) cluster.deliver(QUIET)
  cluster.completeWrite(member)
  cluster.applySome(member)
}

function churn(cluster: SimpleCluster, chance: number): void {
  const id = cluster.pick([...cluster.members.keys()])!
  const other = cluster.pick([...cluster.members.keys()])!
  if (chance < 0.3) cluster.change({ mode: 'auto', changes: [{ action: 'add-learner', id }] })
  else if (chance < 0.6) cluster.change({ mode: 'auto', changes: [{ action: 'add-voter', id }] })
  else if (chance < 0.65) cluster.change({ mode: 'leave', changes: [] })
  else if (chance < 0.75) cluster.change({ mode: 'auto', changes: [{ action: 'remove', id }] })
  else {
    const changes = [{ action: 'add-voter', id } as const, { action: 'add-learner', id: other } as const]
    cluster.change({ mode: chance < 0.85 ? 'joint' : 'joint-until-left', changes })
  }
}

for (const size of [1, 2, 3, 5]) {
  test(`a group of ${size} keeps every promise under loss, repetition, reordering and crashes`, () => {
    const totals: Record<string, number> = {}
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      try {
        const counts = live(seed, { size, steps: 4_000, churn: size !== 2 })
        for (const [name, count] of Object.entries(counts)) totals[name] = (totals[name] ?? 0) + count
      } catch (error) {
        throw new Error(`seed ${seed}, size ${size}`, { cause: error })
      }
    }
    for (const name of ['commits', 'elections', 'reads', 'crashes']) assert.ok(totals[name]! > 0, name)
  })
}
