// ioredis with its default options: HELLO 3, CLIENT SETINFO, INFO ready check; then ordinary use.
import assert from "node:assert/strict";
import Redis from "ioredis";

const redis = new Redis(Number(process.argv[2]), "127.0.0.1");
redis.on("error", (error) => { console.error(error); process.exit(1); });
await new Promise((resolve) => redis.once("ready", resolve));

assert.equal(await redis.ping(), "PONG");
assert.equal(await redis.set("k", "v"), "OK");
assert.equal(await redis.get("k"), "v");
assert.equal(await redis.get("missing"), null);
assert.equal(await redis.incr("n"), 1);
assert.equal(await redis.rpush("l", "a", "b"), 2);
assert.deepEqual(await redis.lrange("l", 0, -1), ["a", "b"]);
assert.equal(await redis.hset("h", "f", "v"), 1);
assert.deepEqual({ ...(await redis.hgetall("h")) }, { f: "v" });
assert.equal(await redis.sadd("s", "m"), 1);
assert.equal(await redis.zadd("z", 1.5, "m"), 1);
assert.equal(Number(await redis.zscore("z", "m")), 1.5);
assert.deepEqual(await redis.mget("{t}1", "{t}2"), [null, null]);
assert.equal(await redis.eval("return ARGV[1]", 1, "k", "arg"), "arg");
assert.deepEqual((await redis.getBuffer("k")), Buffer.from("v"));

const pipeline = redis.pipeline();
for (let n = 0; n < 500; n++) pipeline.set(`p${n}`, n).get(`p${n}`);
const results = await pipeline.exec();
results.forEach(([error, value], at) => {
  assert.equal(error, null);
  assert.equal(value, at % 2 === 0 ? "OK" : String((at - 1) / 2));
});
const together = await Promise.all(Array.from({ length: 500 }, (_, n) => redis.get(`p${n}`)));
together.forEach((value, n) => assert.equal(value, String(n)));

await assert.rejects(redis.lpush("h", "x"), /WRONGTYPE/);
assert.equal(await redis.quit(), "OK");
console.log("ok");
