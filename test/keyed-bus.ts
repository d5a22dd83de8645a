import type { Admin, Bus, Capabilities } from '../src/bus/index.ts'

/** A bus that says of itself what Kafka says: a reader with a filter is sent the whole topic. */
export function keyedBus(bus: Bus): Bus {
  return {
    ...{ name: bus.name, requests: bus.requests, admin: keyedAdmin(bus.admin) },
    open: async (topic) => keyed(await bus.open(topic)),
    writer: (topic, options) => bus.writer(topic, options),
    reader: (topic, options) => bus.reader(topic, options),
    drain: () => bus.drain(),
    close: () => bus.close(),
  }
}

function keyedAdmin(admin: Admin): Admin {
  return {
    listTopics: () => admin.listTopics(),
    async describeTopic(topic) {
      const found = await admin.describeTopic(topic)
      return { ...found, capabilities: keyed(found.capabilities) }
    },
    deleteTopic: (topic) => admin.deleteTopic(topic),
    listGroups: (topic) => admin.listGroups(topic),
    deleteGroup: (topic, group) => admin.deleteGroup(topic, group),
    lag: (topic, group) => admin.lag(topic, group),
    replayDeadLetters: (topic, options) => admin.replayDeadLetters(topic, options),
  }
}

function keyed(capabilities: Capabilities): Capabilities {
  return { ...capabilities, wildcards: 'emulated' }
}
