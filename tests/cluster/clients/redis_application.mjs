// What applications do with redis (node-redis): transactions, WATCH, publish and subscribe, blocking pops, scans,
// scripts, functions, streams, keys of many slots.
import assert from "node:assert/strict";
import { createClient, defineScript } from "redis";

const bump = defineScript({
  NUMBER_OF_KEYS: 1,
  SCRIPT: "return redis.call('INCRBY', KEYS[1], ARGV[1])",
  parseCommand(parser, key, by) { parser.pushKey(key); parser.push(String(by)); },
  transformReply: (reply) => reply,
});
const open = async (options = {}) => {
  const client = createClient({ url: `redis://127.0.0.1:${process.argv[2]}`, scripts: { bump }, ...options });
  client.on("error", (error) => { console.error(error); process.exit(1); });
  await client.connect();
  return client;
};
const client = await open();
const keys = Array.from({ length: 50 }, (_, n) => `key:${n}`);

assert.equal(await client.mSet(Object.fromEntries(keys.map((key, n) => [key, String(n)]))), "OK");
assert.deepEqual(await client.mGet(keys), keys.map((_, n) => String(n)));
assert.equal(await client.dbSize(), 50);
const scanned = new Set();
for await (const batch of client.scanIterator({ MATCH: "key:*", COUNT: 7 })) [].concat(batch).forEach((key) => scanned.add(key));
assert.equal(scanned.size, 50);
assert.equal(await client.del(keys), 50);

assert.deepEqual(await client.multi().set("{m}a", "1").incr("{m}a").hSet("{m}h", "f", "v").hGetAll("{m}h").exec()
  .then((replies) => replies.slice(0, 3)), ["OK", 2, 1]);
await assert.rejects(client.multi().set("a", "1").set("b", "2").exec());
assert.equal(await client.get("a"), null);
const other = await open();
await client.watch("{m}a");
await other.set("{m}a", "changed");
await assert.rejects(client.multi().set("{m}a", "lost").exec(), /watch/i);
assert.equal(await client.get("{m}a"), "changed");

const heard = [];
await other.subscribe("news", (text, channel) => heard.push([channel, text]));
await other.pSubscribe("new*", (text, channel) => heard.push(["p", channel, text]));
await other.sSubscribe("shard", (text, channel) => heard.push(["s", channel, text]));
assert.equal(await client.publish("news", "hello"), 2);
assert.equal(await client.sPublish("shard", "hi"), 1);
const deadline = Date.now() + 5000;
while (heard.length < 3 && Date.now() < deadline) await new Promise((go) => setTimeout(go, 5));
assert.equal(heard.length, 3);
await other.unsubscribe(); await other.pUnsubscribe(); await other.sUnsubscribe();

const blocked = await open();
const popped = blocked.blPop(["{q}a", "{q}b"], 5);
await new Promise((go) => setTimeout(go, 20));
await client.rPush("{q}b", "job");
assert.deepEqual({ ...(await popped) }, { key: "{q}b", element: "job" });
assert.equal(await blocked.brPop("{q}a", 0.05), null);

for (const key of keys.slice(0, 9)) assert.equal(await client.bump(key, 3), 3);
const library = "#!lua name=app\nredis.register_function('twice', function(k, a) return a[1] * 2 end)";
assert.equal(await client.functionLoad(library, { REPLACE: true }), "app");
for (const key of keys.slice(0, 9)) assert.equal(await client.fCall("twice", { keys: [key], arguments: ["21"] }), 42);

await client.xGroupCreate("stream", "group", "$", { MKSTREAM: true });
const reading = blocked.xReadGroup("group", "me", { key: "stream", id: ">" }, { BLOCK: 5000 });
const id = await client.xAdd("stream", "*", { field: "value" });
assert.ok(JSON.stringify(await reading).includes(id));
assert.equal(await client.xAck("stream", "group", id), 1);

assert.equal(await client.flushAll(), "OK");
await Promise.all([client, other, blocked].map((one) => one.close()));
console.log("ok");
