// What applications use a cache for, with ioredis or iovalkey: sessions, counters, queues, WATCH, events.
import assert from "node:assert/strict";

const port = Number(process.argv[2]);
const Redis = (await import(process.argv[3])).default;
const open = () => new Redis(port, "127.0.0.1");
const redis = open();

await redis.set("session:1", JSON.stringify({ user: "ann" }), "EX", 1800, "NX");
assert.equal(JSON.parse(await redis.get("session:1")).user, "ann");
assert.ok((await redis.ttl("session:1")) > 1700);
const results = await redis.pipeline().hset("h", { a: 1, b: 2 }).hincrby("h", "a", 5).hgetall("h").exec();
assert.deepEqual(results, [[null, 2], [null, 6], [null, { a: "6", b: "2" }]]);
assert.deepEqual(await redis.multi().incr("n").incr("n").exec(), [[null, 1], [null, 2]]);

const waiting = open();
const job = waiting.blpop("jobs", 10);
await redis.rpush("jobs", "first");
assert.deepEqual(await job, ["jobs", "first"]);

const watcher = open();
await watcher.watch("n");
await redis.set("n", 9);
assert.equal(await watcher.multi().incr("n").exec(), null);

await redis.config("SET", "notify-keyspace-events", "Ex");
const listener = open();
const ended = new Promise((resolve) => listener.on("message", (_, key) => resolve(key)));
await listener.subscribe("__keyevent@0__:expired");
await redis.set("short", 1, "PX", 30);
assert.equal(await ended, "short");

await redis.sadd("ids", 1, 2, 3);
await redis.mset("w1", 30, "w2", 10, "w3", 20);
assert.deepEqual(await redis.sort("ids", "BY", "w*", "GET", "#", "GET", "w*"), ["2", "10", "3", "20", "1", "30"]);
const payload = await redis.dumpBuffer("h");
assert.equal(await redis.restore("copy", 0, payload), "OK");
assert.deepEqual(await redis.hgetall("copy"), { a: "6", b: "2" });
const names = [];
for await (const batch of redis.scanStream({ count: 5 })) names.push(...batch);
assert.equal(new Set(names).size, await redis.dbsize());
await assert.rejects(redis.eval("return 1", 0), /the embedded store has no scripts/);
for (const client of [redis, waiting, watcher, listener]) client.disconnect();
console.log("ok");
