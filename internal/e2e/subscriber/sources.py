#!/usr/bin/env python3
"""Every source of ERP customers, from outside: this program puts customers into a file, a folder, HTTP, PostgreSQL and a topic that
exists already, lets the binary publish them, and reads erp.customer with Confluent's own client and Avro deserializer. It
keeps the customers that must be there in a dictionary of its own, which the topic must equal after each step.

usage: sources.py BINARY BOOTSTRAP REGISTRY POSTGRES   prints a line per check, "N passed, N failed" last; exit 1 on a failure
"""
import collections
import csv
import decimal
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

binary, bootstrap, registry, postgres = sys.argv[1:5]
work = pathlib.Path(tempfile.mkdtemp(prefix="sources-"))
org = "books%d" % os.getpid()
topic, legacy, token = org + ".erp.customer", org + ".legacy", "token-of-the-web-source"
patience = 60
passed = failed = 0


def check(ok, what, detail=""):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    print(("ok    " if ok else "FAILED") + " " + what + ("" if ok or not detail else ": " + str(detail)[:1500]), flush=True)


# --- the topic, as another client sees it ---

class Topic:
    """All that erp.customer ever held, and what it holds now."""

    def __init__(self):
        self.decode = AvroDeserializer(SchemaRegistryClient({"url": registry}))
        self.consumer, self.records, self.latest, self.faults = None, collections.Counter(), {}, []
        self.versions = {}

    def read(self, timeout):
        if self.consumer is None:
            client = Consumer({"bootstrap.servers": bootstrap, "group.id": org, "enable.auto.commit": False})
            found = client.list_topics(topic, timeout=20).topics[topic]
            if found.error is not None or not found.partitions:
                client.close()
                time.sleep(0.2)
                return
            client.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in found.partitions])
            self.consumer = client
        m = self.consumer.poll(timeout)
        while m is not None:
            if m.error():
                self.faults.append(str(m.error()))
            elif not m.key().startswith(b"\0"):
                self.take(m)
            m = self.consumer.poll(0)

    def take(self, m):
        key, headers = m.key().decode(), dict(m.headers())
        version = int(headers["epoch"]), int(headers["rev"])
        if version <= self.versions.get(key, (0, 0)):
            self.faults.append("%s: version %s after %s" % (key, version, self.versions[key]))
        self.versions[key] = version
        if headers["ce_id"].decode() != "%s-%d-%d" % (urllib.request.quote(key, safe=""), *version):
            self.faults.append("%s: ce_id %s" % (key, headers["ce_id"]))
        self.records[key] += 1
        if m.value() is None:
            self.latest.pop(key, None)
            if headers["op"] != b"delete":
                self.faults.append("%s: a tombstone's op is %s" % (key, headers["op"]))
        else:
            self.latest[key] = self.decode(m.value(), SerializationContext(topic, MessageField.VALUE))

    def seen(self):
        """What is compared: name and balance by key."""
        return {k: (v["name"], v["balance"]) for k, v in self.latest.items()}


books, want = Topic(), {}


def amount(text):
    return None if text is None else decimal.Decimal(text)


def expect(what, **changes):
    """Changes the model and waits until the topic equals it. A key's "_" stands for "/", None for a deletion."""
    for key, value in changes.items():
        key = key.replace("_", "/")
        if value is None:
            want.pop(key)
        else:
            want[key] = (value[0], amount(value[1]))
    end = time.monotonic() + patience
    while books.seen() != want and time.monotonic() < end:
        books.read(0.2)
    check(books.seen() == want, what, "the topic holds %s, want %s" % (books.seen(), want))


# --- the product ---

with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    web = "127.0.0.1:%d" % s.getsockname()[1]
config = work / "crosswalk.yaml"
config.write_text(json.dumps({  # JSON is YAML
    "data_dir": str(work / "data"), "kafka": {"brokers": [bootstrap]}, "schema_registry": {"url": registry},
    "console": {"listen": "127.0.0.1:0"},
    "orgs": [{"alias": org, "erp": {
        "push": {"listen": web, "max_body_bytes": 20000},
        "sources": [
            {"name": "ledger", "decimal_comma": True, "max_delete_share": 0.4,
             "columns": {"number": "Konto", "name": "Kunde", "balance": "Saldo"}},
            {"name": "inbox", "folder": {"path": str(work / "inbox"), "settle": "300ms", "interval": "100ms"},
             "columns": {"company": "Firma", "number": "No", "name": "Name", "balance": "Due"}},
            {"name": "web", "token": token},
            {"name": "sql", "columns": {"number": "no", "name": "title", "balance": "due"},
             "postgres": {"url": postgres, "query": "SELECT no, title, due, changed FROM " + org, "cursor": "changed", "interval": "200ms"}},
            {"name": "old", "topic": {"name": legacy}, "columns": {"number": "_key", "name": "title", "balance": "money.owed"}},
        ]}}]}))


def run_import(name, text, *flags, encoding="utf-8"):
    path = work / name
    path.write_bytes(text.encode(encoding))
    p = subprocess.run([binary, "erp", "import", str(path), "--source", "ledger", "--json", "--config", str(config), *flags],
                       capture_output=True, text=True, timeout=180)
    return p.returncode, json.loads(p.stdout) if p.stdout.strip() else {}, p.stderr


class Service:
    """`crosswalk run erp` in a process that can be killed."""

    def start(self):
        self.log = open(work / "run.log", "ab")
        self.process = subprocess.Popen([binary, "run", "erp", "--config", str(config)], stdout=self.log, stderr=self.log)
        end = time.monotonic() + patience
        while time.monotonic() < end:
            try:
                return urllib.request.urlopen("http://%s/healthz" % web, timeout=5).read() == b"ok\n"
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.1)
        raise SystemExit("the process does not take customers by HTTP: " + (work / "run.log").read_text()[-2000:])

    def end(self, sign):
        self.process.send_signal(sign)
        return self.process.wait(patience)


def ask(method, path, body=None, kind="application/json", secret=token):
    """Status and JSON body of the answer; 503 is asked again, as it says."""
    end = time.monotonic() + patience
    while True:
        request = urllib.request.Request("http://%s/erp/web/customers%s" % (web, path), method=method,
                                         data=None if body is None else body.encode(),
                                         headers={"Authorization": "Bearer " + secret, "Content-Type": kind})
        try:
            with urllib.request.urlopen(request, timeout=patience) as reply:
                return reply.status, json.load(reply)
        except urllib.error.HTTPError as e:
            with e:
                if e.code != 503 or time.monotonic() > end:
                    return e.code, json.load(e)
            time.sleep(0.5)


def sql(text):
    """Runs statements, in which %s is the table."""
    subprocess.run(["psql", postgres, "-qv", "ON_ERROR_STOP=1", "-c", text.replace("%s", org)], check=True, timeout=patience)


def put(name, text):
    """Writes into the folder under a name that says unfinished, in two steps, and renames."""
    part = work / "inbox" / (name + ".part")
    part.write_text(text[:len(text) // 2])
    with part.open("a") as f:
        f.write(text[len(text) // 2:])
    part.rename(work / "inbox" / name)


# --- the topic that exists already ---

SCHEMA = json.dumps({"type": "record", "name": "Debtor", "namespace": "old.erp", "fields": [
    {"name": "title", "type": ["null", "string"], "default": None},
    {"name": "money", "type": {"type": "record", "name": "Money", "fields": [
        {"name": "owed", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}}]}}]})
encode = AvroSerializer(SchemaRegistryClient({"url": registry}), SCHEMA)
producer = Producer({"bootstrap.servers": bootstrap})


def produce(key, title=None, owed=None, raw=None):
    value = raw
    if title is not None:
        value = encode({"title": title, "money": {"owed": decimal.Decimal(owed)}}, SerializationContext(legacy, MessageField.VALUE))
    producer.produce(legacy, key=key, value=value)
    producer.flush(20)


def letters():
    """What lies in the dead letter topic, with the reasons."""
    client = Consumer({"bootstrap.servers": bootstrap, "group.id": org, "enable.auto.commit": False})
    client.assign([TopicPartition(org + ".crosswalk.deadletter", 0, OFFSET_BEGINNING)])
    out, end = [], time.monotonic() + 20
    while not out and time.monotonic() < end:
        m = client.poll(0.5)
        if m is not None and not m.error() and not m.key().startswith(b"\0"):
            out.append((m.value(), dict(m.headers())["reason"].decode()))
    client.close()
    return out


# --- the checks ---

def files():
    code, r, said = run_import("ledger.csv", "Konto;Kunde;Saldo\n0042;Müller;12.480,55\n43;Brücke;310,00-\n44;Acme;zwölf\n45;Delta;0\n",
                               "--full", encoding="cp1252")
    check(code == 3 and r["published"] == 3 and r["rejected"] == 1, "a full list with a bad row ends with 3", (code, r, said))
    expect("its good rows are in the topic", **{"0042": ("Müller", "12480.55"), "43": ("Brücke", "-310"), "45": ("Delta", "0")})
    with open(r["rejects_file"], newline="") as f:
        row = list(csv.DictReader(f))[0]
    check((row["line"], row["column"]) == ("4", "Saldo") and "zwölf" in row["reason"], "the bad one is in the rejects file", row)
    code, r, said = run_import("delta.csv", "Konto;Kunde;Saldo\n44;Acme;12\n45;Delta;0\n", "--delta", encoding="utf-16")
    check(code == 0 and (r["published"], r["unchanged"]) == (1, 1), "a change is published, what is there is not", (code, r, said))
    expect("the change is in the topic", **{"44": ("Acme", "12")})
    code, r, said = run_import("short.csv", "Konto;Kunde;Saldo\n44;Acme;12\n45;Delta;0\n", "--full")
    check(code == 1 and "would delete 2 of 4" in said, "a list that deletes too much is refused", (code, said))
    code, r, said = run_import("full.csv", "Konto;Kunde;Saldo\n0042;Müller;1\n44;Acme;12\n45;Delta;0\n", "--full")
    check(code == 0 and r["deleted"] == 1, "a list that is whole deletes what it does not name", (code, r, said))
    expect("the deletion is in the topic", **{"0042": ("Müller", "1"), "43": None})
    code, r, said = run_import("wrong.csv", "Konto;Kunde;Salden\n0042;Müller;1\n", "--full")
    check(code == 1 and 'no column "Saldo"' in said and 'did you mean "Salden"?' in said, "a wrong column is named before anything is read", said)


def folder():
    put("a.csv", "Firma,No,Name,Due\nDE,7,Seven,7.00\nAT,7,Sieben,7.50\n")
    expect("a file in the folder arrives", DE_7=("Seven", "7"), AT_7=("Sieben", "7.5"))
    put("a.csv", "Firma,No,Name,Due\nDE,7,Seven Ltd,7.00\nDE,8,,\nDE,9,Nine,1e9\n")
    expect("another of its name arrives", DE_7=("Seven Ltd", "7"), DE_8=(None, None))
    put("b.csv", "Nummer\n1\n")
    end, tree = time.monotonic() + patience, set()
    wanted = {"done/a.csv", "rejected/a.csv", "rejected/a.rejects.csv", "rejected/b.csv", "rejected/b.csv.error.txt"}
    while tree != wanted and time.monotonic() < end:
        time.sleep(0.1)
        tree = {str(p.relative_to(work / "inbox")) for p in (work / "inbox").rglob("*") if p.is_file()}
    check(tree == wanted, "the folder tells what became of each file", tree)


def push():
    body = json.dumps({"name": "Pushed", "balance": 10.10, "attributes": {"tier": 1}})
    got = [ask("PUT", "/US/W-1", body.replace("{", '{"company": "US", ', 1)) for _ in range(2)]
    check(got[0] == (200, {"key": "US/W-1", "published": True}), "one customer is pushed", got[0])
    check(got[1] == (200, {"key": "US/W-1", "published": False}), "pushing it again changes nothing", got[1])
    expect("it is in the topic", **{"US_W-1": ("Pushed", "10.1")})
    status, r = ask("POST", "", '{"number":"W-2","name":"Two"}\n{"number":"W-3","balance":"x"}\n{"number":"W-4"}\n', "application/x-ndjson")
    check(status == 207 and r["published"] == 2 and [(x["line"], x["column"]) for x in r["rejects"]] == [(2, "balance")],
          "many are pushed, and the answer names the bad one", (status, r))
    expect("the good ones are in the topic", **{"W-2": ("Two", None), "W-4": (None, None)})
    check(ask("DELETE", "/W-4") == (200, {"key": "W-4", "deleted": True}), "one is deleted")
    check(ask("DELETE", "/W-4") == (200, {"key": "W-4", "deleted": False}), "deleting it again changes nothing")
    expect("the deletion is in the topic", **{"W-4": None})
    check(ask("PUT", "/W-5", "{}", secret="not-the-token-at-all")[0] == 401, "another token is refused")
    check(ask("POST", "", json.dumps([{"number": "x" * 30000}]))[0] == 413, "a body that is too large is refused")


def database():
    sql("INSERT INTO %s VALUES ('Q1', 'One', 1.10, '2026-01-01'), ('Q2', 'Tie', 2, '2026-01-01'), ('Q3', 'Null', 3, NULL)")
    expect("rows arrive, with one cursor or none", Q1=("One", "1.1"), Q2=("Tie", "2"), Q3=("Null", "3"))
    sql("UPDATE %s SET title = 'One Ltd', changed = now() WHERE no = 'Q1'; INSERT INTO %s VALUES ('Q4', 'Four', 4, '2026-01-01 00:00:00')")
    expect("a changed row arrives, and a new one of the same time as the last", Q1=("One Ltd", "1.1"), Q4=("Four", "4"))


def existing():
    produce("L1", "Old one", "100.00")
    produce("L2", "Old two", "-0.50")
    produce("L2", "Old two b", "0.50")
    produce("L3", "Gone soon", "3.00")
    expect("the records of a topic arrive", L1=("Old one", "100"), L2=("Old two b", "0.5"), L3=("Gone soon", "3"))
    produce("L3")
    produce("L4", raw=b"no Avro")
    expect("a tombstone deletes", L3=None)
    found = letters()
    check(found and found[0][0] == b"no Avro", "what cannot be decoded is a dead letter", found)


def together():
    code, r, said = run_import("beside.csv", "Konto;Kunde;Saldo\n44;Acme;13\n", "--delta")
    check(code == 0 and r["published"] == 1, "an import by hand goes beside the running process", (code, r, said))
    status, r = ask("PUT", "/W-2", '{"name":"Two again"}')
    check(status == 200 and r["published"], "which goes on afterwards", (status, r))
    expect("both are in the topic", **{"44": ("Acme", "13"), "W-2": ("Two again", None)})


def killed(service):
    check(service.end(signal.SIGKILL) == -signal.SIGKILL, "the process is killed")
    before = dict(books.records)
    put("c.csv", "Firma,No,Name,Due\nDE,7,Seven Ltd,77.00\n")
    sql("UPDATE %s SET due = 44, changed = now() WHERE no = 'Q4'")
    produce("L1", "Old one", "101.00")
    service.start()
    expect("what happened meanwhile arrives", DE_7=("Seven Ltd", "77"), Q4=("Four", "44"), L1=("Old one", "101"))
    twice = {k: n - before.get(k, 0) for k, n in books.records.items() if n != before.get(k, 0)}
    check(twice == {"DE/7": 1, "Q4": 1, "L1": 1}, "and nothing else is published again", twice)
    check(service.end(signal.SIGTERM) == 0, "a stop ends it with 0")


(work / "inbox").mkdir()
sql("CREATE TABLE " + org + " (no text, title text, due numeric, changed timestamptz)")
admin = AdminClient({"bootstrap.servers": bootstrap})
for future in admin.create_topics([NewTopic(legacy, 2, 1)]).values():
    future.result(30)
files()
service = Service()
service.start()
try:
    for part in folder, push, database, existing, together:
        part()
    killed(service)
finally:
    if service.process.poll() is None:
        service.end(signal.SIGKILL)
check(not books.faults, "versions rise in the order of the log, and headers say what they must", books.faults)
shutil.rmtree(work)
print("\n%d passed, %d failed" % (passed, failed))
sys.exit(failed > 0)
