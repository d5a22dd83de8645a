/** What a call or a cast is about. Numbers are for ever: a new operation takes a new one. */
export const Operation = {
  // Calls of a client.
  openTopic: 1,
  describeTopic: 2,
  listTopics: 3,
  deleteTopic: 4,
  listGroups: 5,
  deleteGroup: 6,
  lag: 7,
  replayDeadLetters: 8,
  write: 16,
  openReader: 32,
  acknowledge: 33,
  settle: 34,
  seek: 35,
  end: 36,
  readerLag: 37,
  closeReader: 38,
  ask: 48,
  openAnswerer: 49,
  closeAnswerer: 50,
  // Casts of a client.
  credit: 64,
  // Calls of a node.
  assignment: 96,
  answer: 97,
  // Casts of a node.
  deliver: 112,
  readerFailed: 113,
} as const
