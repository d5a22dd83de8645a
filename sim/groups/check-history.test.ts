import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkHistory } from './check-history.ts'
import type { Step } from './history.ts'

const ATTEMPTS_MAX = 2

function sent(id: string, key = 'k'): Step {
  return { kind: 'sent', id, key }
}

function given(id: string, attempt = 1, more: Partial<Extract<Step, { kind: 'given' }>> = {}): Step {
  return { kind: 'given', id, key: 'k', partition: 0, sequence: Number(id), attempt, reader: 1, intact: true, ...more }
}

function settled(kind: 'done' | 'retry' | 'release' | 'dead', id: string): Step {
  return { kind, id }
}

const CRASH: Step = { kind: 'crash' }
const POWER: Step = { kind: 'power-loss' }
const GONE: Step = { kind: 'abandoned', ids: ['1'] }

function faults(steps: readonly Step[], deadLetters: readonly string[] = []): string[] {
  return checkHistory({ attemptsMax: ATTEMPTS_MAX, steps, deadLetters })
}

const GOOD: Readonly<Record<string, readonly [readonly Step[], (readonly string[])?]>> = {
  'two in one hand, both done': [
    [sent('1'), sent('2'), given('1'), given('2'), settled('done', '1'), settled('done', '2')],
  ],
  'a retry that is done the second time': [
    [sent('1'), given('1'), settled('retry', '1'), given('1', 2), settled('done', '1')],
  ],
  'a release that does not count': [[sent('1'), given('1'), settled('release', '1'), given('1'), settled('done', '1')]],
  'retries up to the limit, then a dead letter, then the key goes on': [
    [
      sent('1'),
      sent('2'),
      given('1'),
      settled('retry', '1'),
      given('1', 2),
      settled('retry', '1'),
      given('2'),
      settled('done', '2'),
    ],
    ['1'],
  ],
  'a crash with one in hand, counted': [[sent('1'), given('1'), CRASH, given('1', 2), settled('done', '1')]],
  'a crash with one in hand, not counted': [[sent('1'), given('1'), CRASH, given('1'), settled('done', '1')]],
  'a reader that goes away': [[sent('1'), given('1'), GONE, given('1', 2, { reader: 2 }), settled('done', '1')]],
  'one that is exhausted by crashes': [[sent('1'), given('1'), CRASH, given('1', 2), CRASH], ['1']],
  'one done before a power loss that comes again, or not': [
    [
      sent('1'),
      sent('2'),
      given('1'),
      given('2'),
      settled('done', '1'),
      settled('done', '2'),
      POWER,
      given('2'),
      settled('done', '2'),
    ],
  ],
  'a repeat of an id that is given once': [[sent('1'), sent('1'), given('1'), settled('done', '1')]],
  'keys that do not wait for each other': [
    [
      sent('1'),
      sent('2', 'j'),
      given('1'),
      settled('retry', '1'),
      given('2', 1, { key: 'j' }),
      settled('done', '2'),
      given('1', 2),
      settled('done', '1'),
    ],
  ],
  'one that expired unread': [[{ kind: 'sent', id: '1', key: 'k', expires: true }, { kind: 'expired' }]],
}

for (const [name, [steps, letters]] of Object.entries(GOOD)) {
  test(`The checker accepts ${name}`, () => assert.deepEqual(faults(steps, letters), []))
}

const BAD: Readonly<Record<string, readonly [RegExp, readonly Step[], (readonly string[])?]>> = {
  'a message never given': [/1 is lost/, [sent('1')]],
  'a message left in hand': [/1 is lost/, [sent('1'), given('1')]],
  'one that crashes exhausted and nobody reports': [/1 is lost/, [sent('1'), given('1'), CRASH, given('1', 2), CRASH]],
  'one in hand when the power fails that never comes again': [/1 is lost/, [sent('1'), given('1'), POWER]],
  'one that a power loss took away': [/1 is lost/, [sent('1'), POWER]],
  'one that a power loss lets overtake': [
    /2 overtook 1/,
    [sent('1'), sent('2'), given('1'), POWER, given('2'), settled('done', '2'), given('1', 2), settled('done', '1')],
  ],
  'a late settling that is believed': [
    /had lost them/,
    [sent('1'), given('1'), GONE, { kind: 'settled-late', ids: ['1'] }],
  ],
  'a retry that never comes again': [/1 is lost/, [sent('1'), given('1'), settled('retry', '1')]],
  'a later message of a key that overtakes a retried one': [
    /2 overtook 1/,
    [
      sent('1'),
      sent('2'),
      given('1'),
      settled('retry', '1'),
      given('2'),
      settled('done', '2'),
      given('1', 2),
      settled('done', '1'),
    ],
  ],
  'a later message of a key that overtakes a released one': [
    /2 overtook 1/,
    [
      sent('1'),
      sent('2'),
      given('1'),
      settled('release', '1'),
      given('2'),
      settled('done', '2'),
      given('1'),
      settled('done', '1'),
    ],
  ],
  'a later message that overtakes one abandoned in a crash': [
    /2 overtook 1/,
    [sent('1'), sent('2'), given('1'), CRASH, given('2'), settled('done', '2'), given('1', 2), settled('done', '1')],
  ],
  'a release that counts': [
    /attempt 2, expected 1/,
    [sent('1'), given('1'), settled('release', '1'), given('1', 2), settled('done', '1')],
  ],
  'a retry that does not count': [
    /attempt 1, expected 2/,
    [sent('1'), given('1'), settled('retry', '1'), given('1', 1), settled('done', '1')],
  ],
  'a retry forgotten in a crash': [
    /attempt 1, expected 2/,
    [sent('1'), given('1'), settled('retry', '1'), CRASH, given('1', 1), settled('done', '1')],
  ],
  'one given back unsettled that does not count': [
    /attempt 1, expected 2/,
    [sent('1'), given('1'), GONE, given('1'), settled('done', '1')],
  ],
  'more attempts than allowed': [
    /past its last attempt/,
    [
      sent('1'),
      given('1'),
      settled('retry', '1'),
      given('1', 2),
      settled('retry', '1'),
      given('1', 3),
      settled('done', '1'),
    ],
    ['1'],
  ],
  'a done message that comes again': [
    /given again after it was done/,
    [sent('1'), given('1'), settled('done', '1'), given('1'), settled('done', '1')],
  ],
  'a done message that comes again after a crash': [
    /given again after it was done/,
    [sent('1'), given('1'), settled('done', '1'), CRASH, given('1'), settled('done', '1')],
  ],
  'one message in two hands': [
    /while a reader had it/,
    [sent('1'), given('1'), given('1', 1, { reader: 2 }), settled('done', '1')],
  ],
  'an id stored twice': [
    /stored twice/,
    [sent('1'), given('1'), settled('release', '1'), given('1', 1, { sequence: 9 }), settled('done', '1')],
  ],
  'a key stored out of order': [
    /2 is stored before 1/,
    [sent('1'), sent('2'), given('1', 1, { sequence: 5 }), settled('done', '1'), given('2'), settled('done', '2')],
  ],
  'content that changed': [/other content/, [sent('1'), given('1', 1, { intact: false }), settled('done', '1')]],
  'a message nobody sent': [/never sent/, [given('1')]],
  'a dead message without a letter': [/not among the dead letters/, [sent('1'), given('1'), settled('dead', '1')]],
  'a letter for a message that was done': [
    /was done and is among/,
    [sent('1'), given('1'), settled('done', '1')],
    ['1'],
  ],
  'two letters for one message': [/2 times/, [sent('1'), given('1'), settled('dead', '1')], ['1', '1']],
  'one given after its time to live': [
    /after its time to live/,
    [{ kind: 'sent', id: '1', key: 'k', expires: true }, { kind: 'expired' }, given('1'), settled('done', '1')],
  ],
}

for (const [name, [finds, steps, letters]] of Object.entries(BAD)) {
  test(`The checker refuses ${name}`, () => {
    const found = faults(steps, letters)
    assert.ok(
      found.some((sentence) => finds.test(sentence)),
      `expected ${finds}, found ${JSON.stringify(found)}`,
    )
  })
}
