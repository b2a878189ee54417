#!/usr/bin/env python3
"""An outside subscriber: Confluent's own Python client reads every topic of the demo from Kafka and a schema registry,
and finds every field. It shares nothing with Crosswalk but the wire: librdkafka fetches, fastavro decodes, the registry
names the schemas. The join is computed here once more, from the input topics, and compared with the views.

usage: subscribe.py BOOTSTRAP REGISTRY [PREFIX]      prints a line per check, "N passed, N failed" last; exit 1 on a failure
"""
import collections
import csv
import json
import pathlib
import struct
import sys
import urllib.request

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

bootstrap, registry = sys.argv[1], sys.argv[2]
prefix = sys.argv[3] if len(sys.argv) > 3 else ""
data = pathlib.Path(__file__).resolve().parents[2] / "demo" / "data"
INPUTS = ["salesforce.account", "salesforce.contact", "salesforce.note", "erp.customer"]
OUTPUTS = ["customer.view", "match.unmatched", "match.ambiguous"]
SHARED = ["crosswalk.position", "crosswalk.audit"]
OPS = {"SNAPSHOT", "CREATE", "UPDATE", "DELETE", "UNDELETE", "REFETCH", "REPAIR"}
CLOUD = {"ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "ce_subject"}
passed = failed = 0


def check(ok, what, detail=""):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    print(("ok    " if ok else "FAILED") + " " + what + ("" if ok or not detail else ": " + str(detail)[:400]), flush=True)


decode = AvroDeserializer(SchemaRegistryClient({"url": registry}))
schemas = {}


def schema(value):
    n = struct.unpack(">I", value[1:5])[0]
    if n not in schemas:
        with urllib.request.urlopen("%s/schemas/ids/%d" % (registry, n)) as reply:
            schemas[n] = json.loads(json.load(reply)["schema"])
    return schemas[n]


def read(topic):
    """All records of a topic: (key, value, headers, schema), barriers (a reserved key with a NUL) left out."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "subscriber", "enable.auto.commit": False,
                         "enable.partition.eof": True, "isolation.level": "read_committed"})
    partitions = consumer.list_topics(topic, timeout=20).topics[topic].partitions
    left = set(partitions)
    consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in partitions])
    out = []
    while left:
        m = consumer.poll(20)
        if m is None:
            raise SystemExit("no record within 20 s in " + topic)
        if m.error():
            if m.error().code() == KafkaError._PARTITION_EOF:
                left.discard(m.partition())
                continue
            raise SystemExit(str(m.error()))
        key = m.key().decode()
        if key.startswith("\0"):
            continue
        value = m.value()
        headers = {k: v.decode() for k, v in m.headers() or []}
        if value is None:
            out.append((key, None, headers, None))
        else:
            out.append((key, decode(value, SerializationContext(topic, MessageField.VALUE)), headers, schema(value)))
    consumer.close()
    return out


def latest(records):
    state = {}
    for key, value, headers, _ in records:
        state[key] = (value, headers)
    return {k: v for k, (v, _) in state.items() if v is not None}


def table(path):
    with open(data / path, encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f))


topics = {t: read(prefix + t) for t in INPUTS + OUTPUTS + SHARED}
state = {t: latest(r) for t, r in topics.items()}

for t, records in topics.items():
    check(records, "%s: %d records, %d live keys" % (t, len(records), len(state[t])))
    missing = [(k, sorted({f["name"] for f in s["fields"]} ^ set(v))) for k, v, _, s in records if v is not None and {f["name"] for f in s["fields"]} != set(v)]
    check(not missing, "%s: every field of the schema is in every value" % t, missing[:2])

for t in ["salesforce.account", "salesforce.contact"]:
    wrong = [k for k, v in state[t].items() if v["Id"] != k or v["_change"]["op"] not in OPS]
    check(not wrong, t + ": the key is the Id, _change says why", wrong)
    headers = [h for _, _, h, _ in topics[t]]
    lacking = [sorted(({"epoch", "rev", "pos", "asof", "op"} | CLOUD) - set(h)) for h in headers if not ({"epoch", "rev", "pos", "asof", "op"} | CLOUD) <= set(h)]
    check(not lacking, t + ": headers on every record, tombstones too", lacking[:1])
    versions = collections.defaultdict(list)
    for k, _, h, _ in topics[t]:
        versions[k].append((int(h["epoch"]), int(h["rev"])))
    check(all(a < b for vs in versions.values() for a, b in zip(vs, vs[1:])), t + ": (epoch, rev) rises with the offset")
for t in INPUTS[2:] + OUTPUTS:
    lacking = [sorted(({"epoch", "rev"} | CLOUD) - set(h)) for _, _, h, _ in topics[t] if not ({"epoch", "rev"} | CLOUD) <= set(h)]
    check(not lacking, t + ": version and CloudEvents headers on every record", lacking[:1])

companies = {r["Security"]: r for r in table("sp500/constituents.csv")}
names = {a["Name"] for a in state["salesforce.account"].values()}
joined = {n for n, r in companies.items() if r["Date added"] < "2026"}
check(len(joined & names) > 0.95 * len(joined), "the S&P 500 companies are Accounts", len(joined & names))
check(all("ERP_Customer_No__c" in a for a in state["salesforce.account"].values()), "the custom field is in every Account")
check(len(state["erp.customer"]) == 89 + 503, "erp.customer holds the 89 customers that ordered and 503 companies", len(state["erp.customer"]))
check(str(state["erp.customer"]["VINET"]["balance"].normalize()) == "1.48E+3", "a balance is exact", state["erp.customer"]["VINET"]["balance"])
kinds = {n["kind"] for n in state["salesforce.note"].values()}
check({"Note", "Task"} <= kinds, "classic notes and tasks are there", kinds)

# the join once more: one account and one customer with the same identifier, byte for byte
accounts, customers = collections.defaultdict(list), collections.defaultdict(list)
for k, a in state["salesforce.account"].items():
    if a["ERP_Customer_No__c"]:
        accounts[a["ERP_Customer_No__c"]].append(k)
for k, c in state["erp.customer"].items():
    if c["identifier"]:
        customers[c["identifier"]].append(k)
matched = {cs[0]: accounts[i][0] for i, cs in customers.items() if len(cs) == 1 and len(accounts[i]) == 1}
views = state["customer.view"]
check(set(views) == set(matched), "customer.view: the customers that this program matches itself (%d)" % len(matched), set(views) ^ set(matched))
check(all([a["id"] for a in v["accounts"]] == [matched.get(k)] for k, v in views.items()), "customer.view: each with its Account")
ambiguous = {i for i in accounts if customers.get(i) and (len(accounts[i]) > 1 or len(customers[i]) > 1)}
check(set(state["match.ambiguous"]) == ambiguous and ambiguous, "match.ambiguous: the same identifiers (%d)" % len(ambiguous), set(state["match.ambiguous"]) ^ ambiguous)
contacts = collections.Counter(c["AccountId"] for c in state["salesforce.contact"].values())
wrong = [k for k, v in views.items() for a in v["accounts"] if a["contactsTotal"] != contacts.get(a["id"], 0) or a["fields"]["Name"] != state["salesforce.account"][a["id"]]["Name"]]
check(not wrong, "customer.view: every contact and the account's current name", wrong)
notes = collections.Counter()
parent = {k: c["AccountId"] for k, c in state["salesforce.contact"].items()}
for n in state["salesforce.note"].values():
    notes.update({parent.get(link, link) for link in n["links"]})
wrong = [(k, a["notesTotal"], notes.get(a["id"], 0)) for k, v in views.items() for a in v["accounts"] if a["notesTotal"] != notes.get(a["id"], 0)]
check(not wrong and any(a["notes"] for v in views.values() for a in v["accounts"]), "customer.view: every note", wrong)
near = [u for u in state["match.unmatched"].values() if u["nearMisses"]]
check(near and all(m["classes"] == ["LEADING_ZEROS"] for u in near for m in u["nearMisses"]), "match.unmatched: leading zeros are near misses (%d), not matches" % len(near))

print("\n%d passed, %d failed" % (passed, failed))
sys.exit(failed > 0)
