// What applications do with @valkey/valkey-glide: transactions, publish and subscribe, blocking pops, scans,
// scripts, functions, keys of many slots.
import assert from "node:assert/strict";
import { Batch, GlideClient, GlideClientConfiguration, Script } from "@valkey/valkey-glide";

const addresses = [{ host: "127.0.0.1", port: Number(process.argv[2]) }];
const client = await GlideClient.createClient({ addresses });
const keys = Array.from({ length: 50 }, (_, n) => `key:${n}`);

assert.equal(await client.mset(Object.fromEntries(keys.map((key, n) => [key, String(n)]))), "OK");
assert.deepEqual(await client.mget(keys), keys.map((_, n) => String(n)));
assert.equal(await client.dbsize(), 50);
const scanned = new Set();
let cursor = "0";
do {
  const [next, batch] = await client.scan(cursor, { match: "key:*", count: 7 });
  batch.forEach((key) => scanned.add(key));
  cursor = next;
} while (cursor !== "0");
assert.equal(scanned.size, 50);
assert.equal(await client.del(keys), 50);

assert.deepEqual(await client.exec(new Batch(true).set("{m}a", "1").incr("{m}a").get("{m}a"), true), ["OK", 2, "2"]);
await assert.rejects(client.exec(new Batch(true).set("a", "1").set("b", "2"), true));
assert.equal(await client.get("a"), null);
const other = await GlideClient.createClient({ addresses });
await client.watch(["{m}a"]);
await other.set("{m}a", "changed");
assert.equal(await client.exec(new Batch(true).set("{m}a", "lost"), true), null);
assert.equal(await client.get("{m}a"), "changed");

const { Exact, Pattern } = GlideClientConfiguration.PubSubChannelModes;
const subscriber = await GlideClient.createClient({
  addresses,
  pubsubSubscriptions: { channelsAndPatterns: { [Exact]: new Set(["news"]), [Pattern]: new Set(["new*"]) } },
});
while (await client.publish("hello", "news") !== 2) await new Promise((go) => setTimeout(go, 10));
const heard = [await subscriber.getPubSubMessage(), await subscriber.getPubSubMessage()];
assert.deepEqual(heard.map((message) => String(message.message)), ["hello", "hello"]);

const popped = other.blpop(["{q}a", "{q}b"], 5);
await new Promise((go) => setTimeout(go, 20));
await client.rpush("{q}b", ["job"]);
assert.deepEqual(await popped, ["{q}b", "job"]);
assert.equal(await other.brpop(["{q}a"], 0.05), null);

const bump = new Script("return redis.call('INCRBY', KEYS[1], ARGV[1])");
for (const key of keys.slice(0, 9)) assert.equal(await client.invokeScript(bump, { keys: [key], args: ["3"] }), 3);
assert.deepEqual(await client.scriptExists([bump.getHash()]), [true]);
const library = "#!lua name=glide\nredis.register_function('thrice', function(k, a) return a[1] * 3 end)";
assert.equal(await client.functionLoad(library, { replace: true }), "glide");
for (const key of keys.slice(0, 9)) assert.equal(await client.fcall("thrice", [key], ["14"]), 42);

assert.equal(await client.flushall(), "OK");
[client, other, subscriber].forEach((one) => one.close());
console.log("ok");
