import type { Operation } from './operation.ts'
import { parseHistory } from './parse-history.ts'

export interface ExampleHistory {
  readonly name: string
  readonly operations: readonly Operation[]
}

/** Histories that any checker of linearizability must refuse. Checkers are checked with them before they are believed. */
export const badHistories: readonly ExampleHistory[] = examples({
  'a read after a write that misses it': `
    a write x 1     @0-10
    b read  x = nil @20-30`,
  'a read of what nobody wrote': `
    a write x 1   @0-10
    b read  x = 7 @20-30`,
  'a read of what is written only later': `
    b read  x = 1 @0-10
    a write x 1   @20-30`,
  'a read of a write that failed': `
    a write x 1   @0-10 fail
    b read  x = 1 @20-30`,
  'a value seen, then the one before it': `
    a write x 1   @0-10
    a write x 2   @20-100
    b read  x = 2 @30-40
    c read  x = 1 @50-60`,
  'a client that does not see its own write': `
    a write x 1   @0-10
    a write x 2   @20-30
    a read  x = 1 @40-50`,
  'two readers that saw two writes in two orders': `
    a write x 1   @0-100
    b write x 2   @0-100
    c read  x = 1 @10-20
    c read  x = 2 @30-40
    d read  x = 2 @10-20
    d read  x = 1 @30-40`,
  'a value that comes back': `
    a write x 1   @0-10
    a write x 2   @20-30
    b read  x = 2 @40-50
    b read  x = 1 @60-70`,
  'a write that is lost at the end': `
    a write x 1   @0-10
    a write x 2   @20-30
    a write x 3   @40-50
    b read  x = 2 @100-110`,
  'two exchanges of one value': `
    a write x 1         @0-10
    b cas   x 1>2 = yes @20-40
    c cas   x 1>3 = yes @25-45`,
  'an exchange that met what was not there': `
    a write x 1         @0-10
    b cas   x 5>6 = yes @20-30`,
  'an exchange refused although its value was there': `
    a write x 1        @0-10
    b cas   x 1>2 = no @20-30`,
  'a read that misses an exchange': `
    a write x 1         @0-10
    b cas   x 1>2 = yes @20-30
    c read  x = 1       @40-50`,
  'an exchange of nothing that was no longer nothing': `
    a write x 1           @0-10
    b cas   x nil>2 = yes @20-30`,
  'an unknown write that appears, vanishes and appears': `
    a write x 1   @0-10
    b write x 2   @20-30 unknown
    c read  x = 2 @40-50
    c read  x = 1 @60-70
    c read  x = 2 @80-90`,
  'an unknown write seen before it was called': `
    c read  x = 2 @0-10
    b write x 2   @20-30 unknown`,
  'a stale read from a leader that was replaced': `
    a write x 1   @0-10
    b write x 2   @20-30
    c read  x = 2 @40-50
    d read  x = 1 @45-46
    d read  x = 1 @60-70`,
  'a deletion that is not seen': `
    a write x 1   @0-10
    a write x nil @20-30
    b read  x = 1 @40-50`,
  'a deletion that nobody asked for': `
    a write x 1     @0-10
    b read  x = 1   @20-30
    b read  x = nil @40-50`,
  'the fault is in the second key': `
    a write x 1     @0-10
    a write y 1     @20-30
    b read  x = 1   @40-50
    b read  y = nil @60-70`,
  'a read that overlaps two writes and sees an older third': `
    a write x 1   @0-10
    a write x 2   @20-30
    a write x 3   @40-60
    b write x 4   @40-60
    c read  x = 1 @45-55`,
  'three clients in a circle': `
    a write x 1   @0-100
    b write x 2   @0-100
    c write x 3   @0-100
    d read  x = 1 @10-20
    d read  x = 2 @30-40
    e read  x = 2 @10-20
    e read  x = 3 @30-40
    f read  x = 3 @10-20
    f read  x = 1 @30-40`,
  'an unknown exchange that happened twice': `
    a write x 1         @0-10
    b cas   x 1>2       @20-30 unknown
    c read  x = 2       @40-50
    a write x 1         @60-70
    c read  x = 2       @80-90`,
  'a read before everything that saw the last': `
    a read  x = 3 @0-5
    a write x 1   @10-20
    a write x 3   @30-40`,
})

/** Histories that any checker must accept, some of them against first appearances. */
export const goodHistories: readonly ExampleHistory[] = examples({
  'nothing at all': '',
  'a read of nothing': `
    a read x = nil @0-10`,
  'a write and a read': `
    a write x 1   @0-10
    b read  x = 1 @20-30`,
  'a read that overlaps a write and sees it': `
    a write x 1   @0-100
    b read  x = 1 @10-20`,
  'a read that overlaps a write and does not see it': `
    a write x 1     @0-100
    b read  x = nil @90-95`,
  'calls that touch at one instant overlap': `
    a write x 1     @0-10
    b read  x = nil @10-20`,
  'two writes at once, in either order': `
    a write x 1   @0-100
    b write x 2   @0-100
    c read  x = 2 @10-20
    c read  x = 1 @30-40`,
  'a write that failed and is not seen': `
    a write x 1     @0-10 fail
    b read  x = nil @20-30`,
  'an unknown write that is never seen': `
    a write x 1     @0-10 unknown
    b read  x = nil @20-30
    b read  x = nil @1000-1010`,
  'an unknown write that is seen at once': `
    a write x 1   @0-10 unknown
    b read  x = 1 @20-30`,
  'an unknown write that is seen much later': `
    a write x 1     @0-10 unknown
    b read  x = nil @20-30
    b read  x = 1   @1000-1010`,
  'an unknown write that is overwritten unseen': `
    a write x 1   @0-10 unknown
    b write x 2   @20-30
    b read  x = 2 @40-50`,
  'an exchange': `
    a write x 1         @0-10
    b cas   x 1>2 = yes @20-30
    c read  x = 2       @40-50`,
  'an exchange that is refused': `
    a write x 1        @0-10
    b cas   x 3>2 = no @20-30
    c read  x = 1      @40-50`,
  'of two exchanges one wins': `
    a write x 1         @0-10
    b cas   x 1>2 = yes @20-40
    c cas   x 1>3 = no  @20-40
    d read  x = 2       @50-60`,
  'an exchange refused because of an unknown write nobody read': `
    a write x 1        @0-10
    b write x 9        @20-30 unknown
    c cas   x 1>2 = no @40-50`,
  'an unknown exchange that happened': `
    a write x 1   @0-10
    b cas   x 1>2 @20-30 unknown
    c read  x = 2 @40-50`,
  'an unknown exchange that did not happen': `
    a write x 1   @0-10
    b cas   x 1>2 @20-30 unknown
    c read  x = 1 @40-50`,
  'a deletion': `
    a write x 1     @0-10
    a write x nil   @20-30
    b read  x = nil @40-50`,
  'keys do not order each other': `
    a write x 1     @0-100
    b write y 1     @0-100
    c read  x = 1   @10-20
    c read  y = nil @30-40
    d read  y = 1   @50-60`,
  'a slow read that sees any of what passed': `
    a write x 1   @0-10
    a write x 2   @20-30
    a write x 3   @40-50
    b read  x = 2 @5-60`,
  'a chain of exchanges through overlapping calls': `
    a cas  x nil>1 = yes @0-100
    b cas  x 1>2 = yes   @0-100
    c cas  x 2>3 = yes   @0-100
    d read x = 2         @0-100
    d read x = 3         @110-120`,
  'a write that must come before one that began earlier': `
    a write x 1   @0-100
    b write x 2   @10-20
    c read  x = 2 @30-40
    c read  x = 1 @50-60`,
  'the same value written twice': `
    a write x 1   @0-10
    b write x 1   @20-30 unknown
    c write x 2   @40-50
    d read  x = 1 @60-70`,
})

function examples(texts: Readonly<Record<string, string>>): ExampleHistory[] {
  return Object.entries(texts).map(([name, text]) => ({ name, operations: parseHistory(text) }))
}
