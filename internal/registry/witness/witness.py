#!/usr/bin/env python3
"""Confluent's own client, as it stands, against a schema registry: witness.py URL."""
import json
import sys

from confluent_kafka.schema_registry import RegisteredSchema, Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext

passed = failed = 0


def check(name, got, want):
    global passed, failed
    if got == want:
        passed += 1
        print(f"ok      {name}")
    else:
        failed += 1
        print(f"FAILED  {name}: got {got!r}, want {want!r}")


def refused(name, call, status, code):
    try:
        got = ("no error", call())
    except SchemaRegistryError as e:
        got = (e.http_status_code, e.error_code)
    check(name, got, (status, code))


def record(*fields, name="Customer"):
    return json.dumps({"type": "record", "name": name, "namespace": "witness", "fields": list(fields)})


ID = {"name": "id", "type": "string"}
BALANCE = {"name": "balance", "type": ["null", {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 18}], "default": None}
STRICT = {"name": "strict", "type": "int"}


def main(url):
    def client():  # a new one has nothing cached
        return SchemaRegistryClient({"url": url})

    c = client()
    v1, v2, bad = Schema(record(ID), "AVRO"), Schema(record(ID, BALANCE), "AVRO"), Schema(record(ID, STRICT), "AVRO")
    check("no subjects at first", c.get_subjects(), [])
    id1 = c.register_schema("customer-value", v1)
    check("registering again gives the same id", client().register_schema("customer-value", v1), id1)
    check("and so does another subject", client().register_schema("other-value", v1), id1)
    check("another spelling too", client().register_schema("customer-value", Schema(json.dumps(json.loads(record(ID)), indent=3), "AVRO")), id1)
    id2 = c.register_schema("customer-value", v2)
    check("another schema has another id", id2 != id1, True)
    check("subjects", c.get_subjects(), ["customer-value", "other-value"])
    check("versions", c.get_versions("customer-value"), [1, 2])
    latest = client().get_latest_version("customer-value")
    check("latest version", (latest.subject, latest.version, latest.schema_id), ("customer-value", 2, id2))
    check("version 1", json.loads(client().get_version("customer-value", 1).schema.schema_str), json.loads(record(ID)))
    check("schema by id", json.loads(client().get_schema(id2).schema_str), json.loads(record(ID, BALANCE)))
    found = client().lookup_schema("customer-value", v1)
    check("lookup", (found.version, found.schema_id), (1, id1))
    full = client().register_schema_full_response("customer-value", v2)
    check("registering with the full answer", (isinstance(full, RegisteredSchema), full.schema_id), (True, id2))
    check("normalized lookup", client().lookup_schema("customer-value", v2, normalize_schemas=True).schema_id, id2)

    check("what is compatible", c.test_compatibility("customer-value", v2), True)
    check("what is not", c.test_compatibility("customer-value", bad), False)
    check("with version 1", c.test_compatibility("customer-value", bad, 1), False)
    refused("an incompatible schema", lambda: client().register_schema("customer-value", bad), 409, 409)
    refused("no schema at all", lambda: client().register_schema("x", Schema('{"type":"nothing"}', "AVRO")), 422, 42201)
    refused("another language", lambda: client().register_schema("x", Schema("{}", "JSON")), 422, 42201)
    refused("an unknown subject", lambda: client().get_latest_version("nobody"), 404, 40401)
    refused("an unknown version", lambda: client().get_version("customer-value", 9), 404, 40402)
    refused("an unknown id", lambda: client().get_schema(9999), 404, 40403)
    refused("an unknown schema", lambda: client().lookup_schema("customer-value", bad), 404, 40403)

    check("the default level", c.get_compatibility(), "BACKWARD")
    refused("a subject's level that was not set", lambda: client().get_compatibility("customer-value"), 404, 40408)
    c.set_compatibility("customer-value", "NONE")
    check("a subject's level", client().get_compatibility("customer-value"), "NONE")
    id3 = client().register_schema("customer-value", bad)
    check("what NONE lets through", client().get_latest_version("customer-value").schema_id, id3)
    refused("a level that there is not", lambda: client().set_compatibility("customer-value", "MAYBE"), 422, 42203)
    c.set_compatibility(level="FULL_TRANSITIVE")
    check("the level of all", client().get_compatibility(), "FULL_TRANSITIVE")
    c.set_compatibility(level="BACKWARD")

    ref = Schema(record({"name": "customer", "type": "witness.Customer"}, name="Order"), "AVRO", [SchemaReference("witness.Customer", "customer-value", 2)])
    order = client().register_schema("order-value", ref)
    check("a schema with a reference", [(r.name, r.subject, r.version) for r in client().get_schema(order).references], [("witness.Customer", "customer-value", 2)])
    refused("deleting what is referred to", lambda: client().delete_version("customer-value", 2), 422, 42206)
    refused("deleting for good what is not deleted yet", lambda: client().delete_subject("order-value", permanent=True), 404, 40405)
    client().delete_subject("order-value")
    check("deleting for good", client().delete_subject("order-value", permanent=True), [1])

    context = SerializationContext("customer", MessageField.VALUE)
    value = {"id": "0042", "balance": None}
    written = AvroSerializer(client(), record(ID, BALANCE), conf={"auto.register.schemas": False, "use.latest.version": False})
    try:
        framed = written(value, context)
        check("the frame of a message", (framed[0], int.from_bytes(framed[1:5], "big")), (0, id2))
        check("a message read back", AvroDeserializer(client())(framed, context), value)
        check("and under the older schema", AvroDeserializer(client(), record(ID))(framed, context), {"id": "0042"})
    except Exception as e:  # the check says what it was
        check("a message through Confluent's serializers", repr(e), None)

    check("deleting a version", client().delete_version("customer-value", 3), 3)
    refused("reading it", lambda: client().get_version("customer-value", 3), 404, 40402)
    check("its id still reads", json.loads(client().get_schema(id3).schema_str), json.loads(record(ID, STRICT)))
    check("deleting a subject", client().delete_subject("customer-value"), [1, 2])
    check("the subjects that are left", client().get_subjects(), ["other-value"])
    check("and those deleted", client().get_subjects(deleted=True), ["customer-value", "other-value"])

    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
