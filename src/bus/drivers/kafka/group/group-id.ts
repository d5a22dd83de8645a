/**
 * The id of a group in Kafka. Skein's groups belong to one topic, Kafka's to none: so the topic is part of it. A slash is
 * in no topic's name.
 */
export function groupId(topic: string, group: string): string {
  return `${topic}/${group}`
}

/** The name of a topic's group; undefined for the group of another topic, or of another client. */
export function groupName(topic: string, id: string): string | undefined {
  return id.startsWith(`${topic}/`) ? id.slice(topic.length + 1) : undefined
}
