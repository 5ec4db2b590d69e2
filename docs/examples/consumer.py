# Reads lifecycle events from Heliograph's topics and prints each once. Run it with Python 3.9 or later and `pip install confluent-kafka`:
#   BROKERS=localhost:9092 TOPICS=heliograph.live.message python3 consumer.py
import os
import signal
import sys
from collections import OrderedDict

from confluent_kafka import Consumer

topics = (os.environ.get("TOPICS") or "heliograph.live.message").split(",")
settings = {
    "bootstrap.servers": os.environ.get("BROKERS") or "localhost:9092",
    "group.id": os.environ.get("GROUP") or "example",
    "auto.offset.reset": "earliest",
    # Offsets are committed for what was handled, never for what was merely fetched.
    "enable.auto.commit": False,
}
if os.environ.get("KAFKA_USERNAME"):
    settings.update({
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": os.environ["KAFKA_USERNAME"],
        "sasl.password": os.environ.get("KAFKA_PASSWORD", ""),
    })

# Delivery is at least once: the same event may come again, under the same ce_id. What must survive a restart belongs into the
# transaction that stores the event's effect, as a unique key; memory is enough where an effect may be repeated then.
MOST_REMEMBERED = 100_000
seen = OrderedDict()


def is_new(event_id):
    if event_id in seen:
        return False
    seen[event_id] = True
    if len(seen) > MOST_REMEMBERED:
        seen.popitem(last=False)
    return True


def handle(event, data):
    """What you do with an event; its data is JSON text. An exception here leaves its offset where it was: it comes again."""
    print(event["type"], event["subject"], event["sequence"], data, flush=True)


stopping = False


def stop(*_):
    global stopping
    stopping = True


signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGINT, stop)

consumer = Consumer(settings)
try:
    existing = consumer.list_topics(timeout=30).topics
    missing = [topic for topic in topics if topic not in existing]
    if missing:
        sys.exit(f"There is no topic {', '.join(missing)}, or this user may not see it.")
    consumer.subscribe(topics)
    while not stopping:
        record = consumer.poll(1.0)
        if record is None:
            continue
        if record.error():
            print(record.error(), file=sys.stderr)
            continue
        event = {name[3:]: value.decode() for name, value in record.headers() if name.startswith("ce_")}
        if is_new(event["id"]):
            handle(event, record.value().decode())
        consumer.commit(record, asynchronous=True)
finally:
    # Leaving the group hands its partitions to the others at once, with the last offsets committed.
    consumer.close()
