// An outside subscriber in JavaScript: kafkajs fetches, @kafkajs/confluent-schema-registry (avsc) decodes. It reads every
// topic to its end and finds every field of every schema.
//
// usage: node subscribe.mjs BOOTSTRAP REGISTRY [PREFIX]     prints a line per check, "N passed, N failed" last
import { createRequire } from "node:module";

// NODE_MODULES names the folder with the dependencies, which is not beside this file.
const load = createRequire((process.env.NODE_MODULES ?? import.meta.dirname) + "/");
const { Kafka, logLevel } = load("kafkajs");
const { SchemaRegistry } = load("@kafkajs/confluent-schema-registry");

const [bootstrap, registryURL, prefix = ""] = process.argv.slice(2);
const topics = ["salesforce.account", "salesforce.contact", "salesforce.note", "erp.customer", "customer.view", "match.unmatched",
  "match.ambiguous", "crosswalk.position", "crosswalk.audit"].map((t) => prefix + t);
const kafka = new Kafka({ clientId: "subscriber", brokers: bootstrap.split(","), logLevel: logLevel.ERROR });
const decimal = { logicalTypes: {} };
const registry = new SchemaRegistry({ host: registryURL }, decimal);
let passed = 0, failed = 0;

function check(ok, what, detail) {
  ok ? passed++ : failed++;
  console.log((ok ? "ok    " : "FAILED") + " " + what + (ok || detail === undefined ? "" : ": " + JSON.stringify(detail).slice(0, 400)));
}

// fields lists the names of a record schema, to any depth that a null does not hide.
function names(type) { return type.fields.map((f) => f.name); }

const admin = kafka.admin();
await admin.connect();
const consumer = kafka.consumer({ groupId: "subscriber-js-" + process.pid });
await consumer.connect();
const ends = new Map(), seen = new Map(topics.map((t) => [t, { records: 0, tombstones: 0, bad: [], lacking: [] }]));
for (const topic of topics) {
  for (const { partition, high, low } of await admin.fetchTopicOffsets(topic)) {
    if (BigInt(high) > BigInt(low)) { ends.set(topic + "/" + partition, BigInt(high)); }
  }
}
await consumer.subscribe({ topics, fromBeginning: true });
await new Promise((resolve, reject) => {
  const timer = setTimeout(() => reject(new Error("not read to the end within 90 s: " + [...ends.keys()])), 90_000);
  consumer.run({
    eachMessage: async ({ topic, partition, message }) => {
      const s = seen.get(topic), key = message.key.toString();
      try {
        if (key.startsWith("\0")) { /* a barrier */ }
        else if (message.value === null) { s.tombstones++; }
        else {
          const value = await registry.decode(message.value);
          const id = message.value.readInt32BE(1);
          const wanted = names(await registry.getSchema(id));
          s.records++;
          const lacking = wanted.filter((n) => !(n in value));
          if (lacking.length) { s.lacking.push([key, lacking]); }
        }
      } catch (e) { s.bad.push([key, String(e)]); }
      const at = topic + "/" + partition;
      if (ends.has(at) && BigInt(message.offset) + 1n >= ends.get(at)) { ends.delete(at); }
      if (ends.size === 0) { clearTimeout(timer); resolve(); }
    },
  }).catch(reject);
});
for (const [topic, s] of seen) {
  check(s.records > 0, `${topic}: ${s.records} values, ${s.tombstones} tombstones`);
  check(s.bad.length === 0, `${topic}: every value decodes`, s.bad.slice(0, 2));
  check(s.lacking.length === 0, `${topic}: every field is there`, s.lacking.slice(0, 2));
}
await consumer.disconnect();
await admin.disconnect();
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
