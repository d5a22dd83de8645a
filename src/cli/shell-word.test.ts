import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { shellWord } from './shell-word.ts'

test('A shell takes what shellWord() gives for the word itself', () => {
  for (const text of ['drone-7', '', '*', `it's "so"`, '{"a":[1,2]}', '$HOME `x`', 'a\\b']) {
    assert.equal(execFileSync('sh', ['-c', `printf %s ${shellWord(text)}`], { encoding: 'utf8' }), text)
  }
  assert.equal(shellWord('type=rover'), 'type=rover')
})
