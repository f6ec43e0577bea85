// What applications do with ioredis, or with iovalkey, which has the same face: transactions, WATCH,
// publish and subscribe, blocking pops, scans, scripts, streams, keys of many slots.
import assert from "node:assert/strict";

const port = Number(process.argv[2]);
const library = process.argv[3];
const Redis = (await import(library)).default;
const open = () => {
  const client = new Redis(port, "127.0.0.1");
  client.on("error", (error) => { console.error(error); process.exit(1); });
  return client;
};
const redis = open();

// Keys of many slots.
const keys = Array.from({ length: 50 }, (_, n) => `key:${n}`);
assert.equal(await redis.mset(Object.fromEntries(keys.map((key, n) => [key, n]))), "OK");
assert.deepEqual(await redis.mget(keys), keys.map((_, n) => String(n)));
assert.equal(await redis.exists(...keys, "none"), 50);
assert.equal(await redis.dbsize(), 50);
assert.deepEqual((await redis.keys("key:*")).sort(), [...keys].sort());
const scanned = new Set();
for await (const batch of redis.scanStream({ match: "key:*", count: 7 })) batch.forEach((key) => scanned.add(key));
assert.equal(scanned.size, 50);
assert.equal(await redis.del(...keys.slice(0, 30)), 30);
assert.equal(await redis.unlink(keys), 20);

// Transactions.
assert.deepEqual(await redis.multi().set("{m}a", 1).incr("{m}a").get("{m}a").exec(),
  [[null, "OK"], [null, 2], [null, "2"]]);
const mixed = await redis.multi().set("{m}s", "text").lpush("{m}s", "x").get("{m}s").exec();
assert.match(mixed[1][0].message, /WRONGTYPE/);
assert.equal(mixed[2][1], "text");
await assert.rejects(redis.multi().set("a", 1).set("b", 2).exec(), /EXECABORT/);
assert.equal(await redis.get("a"), null);
const other = open();
await redis.watch("{m}a");
await other.set("{m}a", "changed");
assert.equal(await redis.multi().set("{m}a", "lost").exec(), null);
assert.equal(await redis.get("{m}a"), "changed");

// Publish and subscribe.
const subscriber = open();
const heard = [];
subscriber.on("message", (channel, text) => heard.push([channel, text]));
subscriber.on("pmessage", (pattern, channel, text) => heard.push([pattern, channel, text]));
assert.equal(await subscriber.subscribe("news", "sport"), 2);
assert.equal(await subscriber.psubscribe("new*"), 3);
assert.equal(await redis.publish("news", "hello"), 2);
assert.equal(await redis.publish("nobody", "hello"), 0);
const deadline = Date.now() + 5000;
while (heard.length < 2 && Date.now() < deadline) await new Promise((go) => setTimeout(go, 5));
assert.deepEqual(heard.sort((a, b) => a.length - b.length), [["news", "hello"], ["new*", "news", "hello"]]);
assert.equal(await subscriber.unsubscribe("news", "sport"), 1);
assert.equal(await subscriber.punsubscribe("new*"), 0);
assert.equal(await subscriber.get("none"), null);

// Blocking.
const blocked = open();
const popped = blocked.blpop("{q}a", "{q}b", 5);
await new Promise((go) => setTimeout(go, 20));
assert.equal(await redis.get("none"), null);
await redis.rpush("{q}b", "job");
assert.deepEqual(await popped, ["{q}b", "job"]);
assert.equal(await blocked.brpop("{q}a", 0.05), null);

// Scripts: EVALSHA first, EVAL when the node does not have it.
redis.defineCommand("bump", { numberOfKeys: 1, lua: "return redis.call('INCRBY', KEYS[1], ARGV[1])" });
assert.deepEqual(await Promise.all(keys.slice(0, 9).map((key) => redis.bump(key, 3))), Array(9).fill(3));
const sha = await redis.script("LOAD", "return ARGV[1]");
assert.deepEqual(await redis.script("EXISTS", sha), [1]);
for (const key of keys.slice(0, 9)) assert.equal(await redis.evalsha(sha, 1, key, "x"), "x");

// Streams with a consumer group.
await redis.xgroup("CREATE", "stream", "group", "$", "MKSTREAM");
const reading = blocked.xreadgroup("GROUP", "group", "me", "BLOCK", 5000, "STREAMS", "stream", ">");
const id = await redis.xadd("stream", "*", "field", "value");
assert.ok(JSON.stringify(await reading).includes(id));
assert.equal(await redis.xack("stream", "group", id), 1);

assert.equal(await redis.flushall(), "OK");
assert.equal(await redis.dbsize(), 0);
for (const client of [redis, other, subscriber, blocked]) assert.equal(await client.quit(), "OK");
console.log("ok");
