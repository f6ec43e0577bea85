// ioredis' Cluster with its default options; then ordinary use.
import assert from "node:assert/strict";
import Redis from "ioredis";

const port = Number(process.argv[2]);
const redis = new Redis.Cluster([{ host: "127.0.0.1", port }]);
redis.on("error", (error) => { console.error(error); process.exit(1); });
await new Promise((resolve) => redis.once("ready", resolve));
assert.deepEqual(redis.nodes("master").map((node) => node.options.port), [port]);

assert.equal(await redis.set("k", "v"), "OK");
assert.equal(await redis.get("k"), "v");
assert.equal(await redis.incr("n"), 1);
assert.equal(await redis.rpush("l", "a", "b"), 2);
assert.deepEqual(await redis.lrange("l", 0, -1), ["a", "b"]);
assert.equal(await redis.hset("h", "f", "v"), 1);
assert.deepEqual({ ...(await redis.hgetall("h")) }, { f: "v" });
assert.deepEqual(await redis.mget("{t}1", "{t}2"), [null, null]);
assert.equal(await redis.eval("return ARGV[1]", 1, "k", "arg"), "arg");

const pipeline = redis.pipeline();
for (let n = 0; n < 500; n++) pipeline.set(`{p}${n}`, n).get(`{p}${n}`);
const results = await pipeline.exec();
results.forEach(([error, value], at) => {
  assert.equal(error, null);
  assert.equal(value, at % 2 === 0 ? "OK" : String((at - 1) / 2));
});
const written = await Promise.all(Array.from({ length: 500 }, (_, n) => redis.set(`p${n}`, n)));
assert.ok(written.every((reply) => reply === "OK"));
const together = await Promise.all(Array.from({ length: 500 }, (_, n) => redis.get(`p${n}`)));
together.forEach((value, n) => assert.equal(value, String(n)));

const transaction = await redis.multi().set("{t}a", 1).incr("{t}a").exec();
assert.deepEqual(transaction, [[null, "OK"], [null, 2]]);
assert.deepEqual(await redis.blpop("l", 1), ["l", "a"]);

await assert.rejects(redis.lpush("h", "x"), /WRONGTYPE/);
assert.equal(await redis.quit(), "OK");
console.log("ok");
