#!/usr/bin/env python3
"""Prints the records of a topic as JSON lines, as an outside subscriber sees them: Confluent's own client
decodes Confluent's wire format (byte 0, schema id in 4 bytes, Avro) with schemas from the registry.

Reads all partitions from the start without joining a group or committing. Fields: topic, partition, offset,
timestamp, key, key_schema_id, value, value_schema_id, headers; and error, where a record cannot be decoded.
A key without the leading byte 0 is text. Bytes print as {"base64": ...}, decimals as text, times as ISO 8601.

Exit: 0 done; 1 a record could not be decoded; 2 usage; 3 no such topic, or --max or --end not reached in time.
"""
import argparse
import base64
import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time


def enter_venv():
    """Continues in a virtual environment with the pinned requirements, made once in the cache."""
    pins = pathlib.Path(__file__).resolve().with_name("requirements.txt")
    cache = os.environ.get("CROSSWALK_LOCAL_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "real-kafka")
    version = "%d.%d" % sys.version_info[:2]
    name = hashlib.sha256(pins.read_bytes() + version.encode()).hexdigest()[:12]
    venv = pathlib.Path(cache, "venv-" + name)
    done = venv / "done"
    if os.environ.pop("CROSSWALK_LOCAL_IN_VENV", "") == name:
        return
    if not done.exists():
        os.makedirs(cache, exist_ok=True)
        with open(os.path.join(cache, ".lock-venv"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                print("consume-avro: making its Python environment (once)", file=sys.stderr)
                shutil.rmtree(venv, ignore_errors=True)
                for command in ([sys.executable, "-m", "venv", venv],
                                [venv / "bin/python", "-m", "pip", "install", "-q", "--no-input", "-r", pins]):
                    if subprocess.run(command, stdout=sys.stderr, stdin=subprocess.DEVNULL).returncode:
                        sys.exit("consume-avro: could not make its Python environment")
                done.touch()
    python = str(venv / "bin/python")
    os.environ["CROSSWALK_LOCAL_IN_VENV"] = name
    os.execv(python, [python, os.path.abspath(__file__), *sys.argv[1:]])


def plain(v):
    if isinstance(v, (bytes, bytearray)):
        return {"base64": base64.b64encode(v).decode()}
    return v.isoformat() if hasattr(v, "isoformat") else str(v)


def text(b):
    if b is None:
        return None
    try:
        return b.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(b).decode()}


def schema_id(b):
    return int.from_bytes(b[1:5], "big") if b is not None and len(b) > 4 and b[0] == 0 else None


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("bootstrap", help="host:port,...")
    p.add_argument("registry", help="the URL that `registry start` prints")
    p.add_argument("topic")
    p.add_argument("--max", type=int, metavar="N", help="stop after N records")
    p.add_argument("--timeout", type=float, default=30, metavar="S", help="stop after S seconds in all (30)")
    p.add_argument("--end", action="store_true", help="stop at what is the end of the topic when reached")
    p.add_argument("--latest", action="store_true", help="only records written from now on")
    p.add_argument("--text-key", action="store_true", help="never decode the key")
    args = p.parse_args()

    enter_venv()
    from confluent_kafka import (Consumer, KafkaError, KafkaException, OFFSET_BEGINNING, OFFSET_END,
                                 TopicPartition)
    from confluent_kafka.schema_registry import SchemaRegistryClient
    from confluent_kafka.schema_registry.avro import AvroDeserializer
    from confluent_kafka.serialization import MessageField, SerializationContext

    said = set()

    def complain(e):  # each message once
        if str(e) not in said:
            said.add(str(e))
            print("consume-avro:", e, file=sys.stderr)

    deadline = time.monotonic() + args.timeout
    decode = AvroDeserializer(SchemaRegistryClient({"url": args.registry}))
    consumer = Consumer({
        "bootstrap.servers": args.bootstrap,
        "group.id": "consume-avro-%d" % os.getpid(),  # required, not used
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        "reconnect.backoff.ms": 500,
        "log_level": 2,  # errors come to the callback instead
        "error_cb": complain,
    })

    def partitions():  # waits for the topic
        while time.monotonic() < deadline:
            try:
                found = consumer.list_topics(args.topic, timeout=5).topics[args.topic].partitions
                if found:
                    return list(found)
            except KafkaException as e:
                complain(e.args[0])
            time.sleep(0.3)
        return []

    def record(m):
        out = {"topic": m.topic(), "partition": m.partition(), "offset": m.offset(), "timestamp": m.timestamp()[1],
               "key": None, "key_schema_id": None, "value": None, "value_schema_id": None,
               "headers": [[k, text(v)] for k, v in m.headers() or []]}
        for name, field, raw in (("key", MessageField.KEY, m.key()), ("value", MessageField.VALUE, m.value())):
            if name == "key" and (args.text_key or schema_id(raw) is None):
                out[name] = text(raw)
                continue
            out[name + "_schema_id"] = schema_id(raw)
            try:
                out[name] = decode(raw, SerializationContext(m.topic(), field, m.headers()))
            except Exception as e:  # whatever the peer wrote, the record is reported
                out[name] = plain(raw)
                out["error"] = "%s: %s: %s" % (name, type(e).__name__, e)
        return out

    left, count, failed = set(partitions()), 0, False
    if not left:
        complain("no topic %s" % args.topic)
        return 3
    start = OFFSET_END if args.latest else OFFSET_BEGINNING
    consumer.assign([TopicPartition(args.topic, i, start) for i in left])
    while (args.max is None or count < args.max) and not (args.end and not left):
        wait = deadline - time.monotonic()
        if wait <= 0:
            break
        m = consumer.poll(min(wait, 1))
        if m is None:
            continue
        if m.error():
            if m.error().code() == KafkaError._PARTITION_EOF:
                left.discard(m.partition())
            else:
                complain(m.error())
            continue
        out = record(m)
        failed |= "error" in out
        count += 1
        print(json.dumps(out, default=plain, ensure_ascii=False), flush=True)
    consumer.close()
    if failed:
        return 1
    done = count == args.max or not left if args.end else args.max in (None, count)
    return 0 if done else 3


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except KeyboardInterrupt:
        sys.exit(130)
