"""Writes position reports with confluent-kafka: produce() per message, flush() per 1,000. Prints the milliseconds it took."""

import json
import sys
import time

from confluent_kafka import Producer

FLUSH_EVERY = 1_000

brokers, topic, messages = sys.argv[1], sys.argv[2], int(sys.argv[3])
producer = Producer({"bootstrap.servers": brokers, "acks": "all", "linger.ms": 10, "compression.type": "lz4"})
# The connection and the topic's leader are known before the clock starts, as on the other side.
producer.list_topics(topic, timeout=10)
headers = {"skeinschema": "0" * 16}
start = time.perf_counter()
for sequence in range(messages):
    report = {
        "sequence": sequence,
        "latitude": 52 + (sequence % 100_000) / 100_000,
        "longitude": 13 - (sequence % 70_000) / 70_000,
        "altitude": 120 + (sequence % 997) / 10,
        "heading": sequence % 360,
        "battery": 1 - (sequence % 1_000) / 1_000,
    }
    value = json.dumps(report, separators=(",", ":"))
    producer.produce(topic, value, f"drone-{sequence % 16}", headers=headers)
    if sequence % FLUSH_EVERY == FLUSH_EVERY - 1 and producer.flush(30) > 0:
        sys.exit("not everything was stored within 30 s")
if producer.flush(30) > 0:
    sys.exit("not everything was stored within 30 s")
print((time.perf_counter() - start) * 1_000)
